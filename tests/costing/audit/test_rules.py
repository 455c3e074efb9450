"""Each rule against a target that can, one that cannot, and one of which nobody knows."""

from typing import Any

import pytest

from llmmigrate.costing.audit.findings import Finding, Verdict, gravest, gravest_by_rule
from llmmigrate.costing.audit.requests import Body, features_of
from llmmigrate.costing.audit.rules import ACCOUNTING, DEMANDS, HINTS, RULES
from llmmigrate.costing.audit.targets import HAS, LACKS, Target, find_target, target_of
from llmmigrate.costing.audit.translate import examine
from llmmigrate.prices import Catalog, Unpriced

PLAIN: Body = {"model": "x", "messages": [{"role": "user", "content": "Hi"}]}
SCHEMA: Body = {"name": "a", "schema": {}, "strict": True}
TOOLS: Body = {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}


def with_part(part: Body) -> Body:
    return {"messages": [{"role": "user", "content": [part]}]}


ASKING: dict[str, Body] = {
    "tools": TOOLS,
    "tool_choice": {**TOOLS, "tool_choice": "required"},
    "hosted_tools": {"tools": [{"type": "web_search"}]},
    "json_object": {"response_format": {"type": "json_object"}},
    "images": with_part({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}),
    "audio": with_part({"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}}),
    "files": with_part({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a"}}),
    "n": {"n": 2},
    "logprobs": {"logprobs": True},
    "logit_bias": {"logit_bias": {"1": -100}},
    "stop": {"stop": "END"},
    "prefill": {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{"}]},
    "temperature": {"temperature": 0.2},
    "top_p": {"top_p": 0.5},
    "top_k": {"top_k": 4},
    "penalties": {"presence_penalty": 0.5},
    "seed": {"seed": 7},
    "verbosity": {"verbosity": "low"},
    "parallel_tools": {**TOOLS, "parallel_tool_calls": True},
    "stream_usage": {"stream": True, "stream_options": {"include_usage": True}},
    "strict_tools": {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}]},
    "json_schema": {"response_format": {"type": "json_schema", "json_schema": SCHEMA}},
}  # fmt: skip
ABILITIES = {demand.rule: demand.ability for demand in DEMANDS} | {"json_schema": "json_schema"}
REFUSED = {*ABILITIES}
"""The rules whose lack is a refusal; all others are left out."""


def found(body: Body, target: Target) -> tuple[Finding, ...]:
    return examine(body, features_of(body, "openai-chat"), target)[1]


def verdict(rule: str, *, has: bool = False, lacks: bool = False, **more: Any) -> Verdict | None:
    ability = frozenset({ABILITIES.get(rule, rule)})
    nothing: frozenset[str] = frozenset()
    target = Target(
        provider="local", model="m", dialect="openai-chat", has=ability if has else nothing,
        lacks=ability if lacks else nothing, **more,
    )  # fmt: skip
    findings = found({**PLAIN, **ASKING[rule]}, target)
    return gravest_by_rule(findings).get(rule)


@pytest.mark.parametrize("rule", ASKING)
def test_a_rule_says_what_is_known_of_the_target(rule: str) -> None:
    assert verdict(rule, has=True) == "ok"
    assert verdict(rule, lacks=True) == ("refused" if rule in REFUSED else "translated")
    assert verdict(rule) == ("ok" if rule in HAS["openai-chat"] else "unknown")


@pytest.mark.parametrize("rule", ["temperature", "top_p", "top_k", "penalties", "seed"])
def test_what_the_target_sets_itself_is_left_out(rule: str) -> None:
    assert verdict(rule, has=True, fixed=frozenset({rule})) == "translated"


@pytest.mark.parametrize("rule", ASKING)
def test_a_rule_says_nothing_of_what_is_not_asked_for(rule: str) -> None:
    target = Target(provider="local", model="m", dialect="openai-chat", lacks=frozenset({ABILITIES.get(rule, rule)}))
    assert found(PLAIN, target) == ()


def test_every_rule_on_abilities_is_tried_here() -> None:
    assert {demand.rule for demand in DEMANDS} | {hint.rule for hint in HINTS} <= ASKING.keys()
    assert ASKING.keys() <= RULES.keys()


def test_what_a_dialect_has_it_does_not_lack() -> None:
    for dialect, lacking in LACKS.items():
        assert not lacking & HAS[dialect]
        target = Target(provider="local", model="m", dialect=dialect)
        assert [target.can(ability) for ability in lacking] == [False] * len(lacking)
        assert all(target.can(ability) for ability in HAS[dialect])
        assert ACCOUNTING[dialect]


def test_the_gravest_of_several_verdicts_counts() -> None:
    findings = (Finding("n", "ok", ""), Finding("n", "refused", "a"), Finding("stop", "unknown", "b"))
    assert gravest(findings) == "refused"
    assert gravest_by_rule(findings) == {"n": "refused", "stop": "unknown"}
    assert gravest(()) == "ok"


def test_a_models_own_word_wins_over_its_providers(catalog: Catalog) -> None:
    glm, flash = (find_target(catalog, "zai", model) for model in ("glm-5", "glm-5.3-flash"))
    assert (glm.can("vision"), flash.can("vision"), flash.can("forced_tools")) == (False, True, False)
    assert (glm.can("json_schema"), glm.can("json_object"), glm.can("parallel_tools")) == (False, True, None)
    deepseek = find_target(catalog, "deepseek", "deepseek-v4-pro")
    assert (deepseek.thinking, deepseek.efforts) == ("switch", ("low", "high", "max"))


def test_a_target_that_no_table_lists_is_known_by_its_dialect_alone(catalog: Catalog) -> None:
    found = find_target(catalog, "local", "glm", "anthropic-messages")
    assert (found.name, found.context_window, found.can("n"), found.can("vision")) == ("local/glm", None, False, None)


def test_every_listed_behaviour_is_one_thing_or_the_other(catalog: Catalog) -> None:
    tried = 0
    for table in catalog.tables.values():
        for entry in table.entries.values():
            target = target_of(entry, table)
            assert not target.has & target.lacks
            tried += bool(target.lacks & {"vision", "stop", "prefill"})
            behaviour = entry.behaviour
            assert behaviour is None or not {*behaviour.has} & {*behaviour.lacks}
            assert behaviour is None or not {*entry.capabilities} & {*behaviour.lacks}, entry.id
            assert not isinstance(catalog.find(entry.provider, entry.id), Unpriced)
    assert tried > 30
