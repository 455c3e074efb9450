"""That a request means the same at the target, or is refused; and that every change is said."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.costing.audit.dialects import module_of
from llmmigrate.costing.audit.findings import Ledger, Translation
from llmmigrate.costing.audit.requests import Body, canonical_json, dialect_of, features_of
from llmmigrate.costing.audit.rules import RULES
from llmmigrate.costing.audit.targets import Target, find_target
from llmmigrate.costing.audit.translate import examine, translate
from llmmigrate.logs.reader import ReadOptions, read
from llmmigrate.prices import Catalog
from llmmigrate.units import Dialect

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
ASKED: Body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


def anything(dialect: Dialect) -> Target:
    """A target that can do all that its dialect has words for."""
    return Target(provider="local", model="m", dialect=dialect, has=frozenset({"tools", "vision", "pdf"}))


def words(found: Translation) -> dict[str, str]:
    return {finding.rule: finding.words for finding in (*found.changes, *found.refused)}


def test_the_same_model_in_its_own_dialect_is_sent_as_it_was() -> None:
    odd = {**ASKED, "temperature": 0, "unheard_of": [1], "messages": [{"role": "developer", "content": "x"}]}
    target = Target(provider="openai", model="gpt-4o", dialect="openai-chat", fixed=frozenset({"temperature"}))
    found = translate(odd, "openai-chat", target)
    assert found.body == odd
    assert (found.changes, found.doubts, found.refused) == ((), (), ())


def test_another_model_in_the_same_dialect_gets_the_same_body_where_nothing_speaks_against_it() -> None:
    body = {**ASKED, "temperature": 0, "max_tokens": 5, "stop": ["END"], "stream": True}
    found = translate(body, "openai-chat", anything("openai-chat"))
    assert found.body == {**body, "model": "m"}
    assert found.changes == ()


def test_names_and_limits_are_those_of_the_target(catalog: Catalog) -> None:
    o3 = find_target(catalog, "openai", "o3")
    found = translate({**ASKED, "max_tokens": 500_000, "temperature": 0.2, "logprobs": False}, "openai-chat", o3)
    assert found.body == {"model": "o3", "messages": ASKED["messages"], "max_completion_tokens": 100_000}
    assert set(words(found)) == {"max_tokens", "max_output", "temperature", "logprobs"}


def test_a_developer_is_a_system_where_the_maker_is_another(glm: Target) -> None:
    body = {**ASKED, "messages": [{"role": "developer", "content": "Be brief."}, *ASKED["messages"]]}
    found = translate(body, "openai-chat", glm)
    assert found.body is not None
    assert [message["role"] for message in found.body["messages"]] == ["system", "user"]
    assert "system" in words(found)


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"tools": [{"type": "function", "function": {"name": "a"}}], "tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}}},
         "json_schema"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.b/c"}}]}]},
         "images"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "audio"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}, "files"),
        ({"messages": ["Hi"]}, "body"),
        ({"messages": [{"content": "Hi"}]}, "body"),
        ({"messages": []}, "body"),
    ],
)  # fmt: skip
def test_what_a_program_relies_on_is_refused_where_the_target_lacks_it(more: Body, rule: str, glm: Target) -> None:
    found = translate({**ASKED, **more}, "openai-chat", glm)
    assert found.body is None
    assert [finding.rule for finding in found.refused][-1] == rule


def test_a_schema_that_is_only_a_wish_becomes_an_instruction(glm: Target) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
    found = translate({**ASKED, "response_format": form}, "openai-chat", glm)
    assert found.body is not None
    assert found.body["response_format"] == {"type": "json_object"}
    assert json.dumps(SCHEMA, separators=(",", ":")) in found.body["messages"][0]["content"]
    assert found.body["messages"][1:] == ASKED["messages"]
    assert "json_schema" in words(found)


def test_what_nobody_has_written_down_is_neither_yes_nor_no() -> None:
    unheard = Target(provider="local", model="m", dialect="openai-chat")
    body = {**ASKED, "n": 2, "tools": [{"type": "function", "function": {"name": "a"}}], "guided_json": {}}
    found = translate(body, "openai-chat", unheard)
    assert {finding.rule for finding in found.doubts} == {"n", "tools", "parameters"}
    assert found.body == {**body, "model": "m"}


def test_keys_for_one_vendors_books_go_to_no_other(catalog: Catalog, glm: Target) -> None:
    body = {**ASKED, "user": "u-17", "metadata": {"team": "a"}, "store": True}
    elsewhere = translate(body, "openai-chat", glm)
    assert elsewhere.body == {**ASKED, "model": "glm-5"}
    assert words(elsewhere)["metadata"].startswith("metadata, store, user")
    assert translate(body, "openai-chat", find_target(catalog, "openai", "o3")).body == {**body, "model": "o3"}


WISHES: list[tuple[Dialect, Body]] = [
    ("openai-chat", {"reasoning_effort": "low"}),
    ("openai-responses", {"reasoning": {"effort": "low"}}),
    ("anthropic-messages", {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
]


@pytest.mark.parametrize(("source", "wish"), WISHES)
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("openai/o3", {"reasoning_effort": "low"}),
        ("zai/glm-5", {"thinking": {"type": "enabled"}}),
        ("zai/glm-5.3", {"reasoning_effort": "low"}),
        ("deepseek/deepseek-v4-pro", {"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
        ("anthropic/claude-opus-5", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
    ],
)
def test_thinking_is_asked_for_as_the_target_wants_it(
    source: Dialect, wish: Body, name: str, written: Body, catalog: Catalog
) -> None:
    body = {"model": "x", **wish}
    body["input" if source == "openai-responses" else "messages"] = ASKED["messages"]
    provider, _, model = name.partition("/")
    found = translate(body, source, find_target(catalog, provider, model))
    assert found.body is not None
    asked = {"reasoning_effort", "reasoning", "thinking", "output_config"}
    assert {key: value for key, value in found.body.items() if key in asked} == written


def test_an_effort_that_the_target_lacks_becomes_its_nearest(catalog: Catalog) -> None:
    never = translate({**ASKED, "reasoning_effort": "none"}, "openai-chat", find_target(catalog, "zai", "glm-5.3"))
    assert never.body is not None
    assert never.body["reasoning_effort"] == "low"
    assert words(never)["reasoning"].endswith("effort none becomes low, the nearest that the target takes")


def test_an_effort_of_no_known_name_goes_into_no_other_dialect(claude: Target) -> None:
    body = {**ASKED, "reasoning_effort": "frantic"}
    kept = translate(body, "openai-chat", anything("openai-chat"))
    assert kept.body is not None
    assert kept.body["reasoning_effort"] == "frantic"
    assert [finding.rule for finding in kept.doubts] == ["reasoning"]
    assert translate(body, "openai-chat", claude).body is None


def test_a_budget_stays_below_the_longest_answer(catalog: Catalog) -> None:
    sonnet = find_target(catalog, "anthropic", "claude-sonnet-4-5")
    body = {**ASKED, "reasoning_effort": "high", "max_tokens": 3000, "temperature": 0.3}
    found = translate(body, "openai-chat", sonnet)
    assert found.body is not None
    assert found.body["thinking"] == {"type": "enabled", "budget_tokens": 2999}
    assert "temperature" not in found.body
    assert "temperature" in words(found)


PICTURE = "data:image/png;base64,iVBORw0KGgo="
HISTORY: Body = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"},
                                     {"type": "image_url", "image_url": {"url": PICTURE}},
                                     {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]},
        {"role": "assistant", "content": "I look.", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}},
            {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bern"}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "c2", "content": "rain"},
        {"role": "user", "content": "Thanks."},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "parallel_tool_calls": False, "temperature": 0.5, "top_p": 0.9, "max_tokens": 100, "stream": True,
}  # fmt: skip


def test_a_history_reads_in_anthropics_words() -> None:
    body = translate(HISTORY, "openai-chat", anything("anthropic-messages")).body
    assert body is not None
    assert (body["system"], body["max_tokens"], body["stream"]) == ("Be brief.", 100, True)
    assert body["tools"] == [{"name": "weather", "description": "d", "input_schema": SCHEMA}]
    assert body["tool_choice"] == {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}
    asked, called, answered = body["messages"]
    assert asked["content"][1:] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
    ]
    assert [block["type"] for block in called["content"]] == ["text", "tool_use", "tool_use"]
    assert called["content"][1]["input"] == {"city": "Rome"}
    assert [block["type"] for block in answered["content"]] == ["tool_result", "tool_result", "text"]


def test_a_history_reads_in_the_words_of_responses() -> None:
    body = translate(HISTORY, "openai-chat", anything("openai-responses")).body
    assert body is not None
    kinds = [item.get("type", item.get("role")) for item in body["input"]]
    calls = ["function_call", "function_call", "function_call_output", "function_call_output"]
    assert kinds == ["system", "user", "assistant", *calls, "user"]
    assert body["tool_choice"] == {"type": "function", "name": "weather"}
    assert (body["max_output_tokens"], body["parallel_tool_calls"]) == (100, False)
    assert body["tools"] == [{"type": "function", "name": "weather", "description": "d", "parameters": SCHEMA,
                              "strict": False}]  # where nothing is said, Responses would be strict  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "content": "of no call"},
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,§"}}]},
        {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{not json"}}]},
        {"role": "user", "content": "Hi", "unheard_of": 1},
        {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]},
    ],
)
def test_history_that_cannot_be_said_is_refused(message: Body) -> None:
    body = {**ASKED, "messages": [*ASKED["messages"], message]}
    assert translate(body, "openai-chat", anything("anthropic-messages")).body is None


@pytest.mark.parametrize(
    "more",
    [
        {"modalities": ["text", "audio"], "audio": {"voice": "a", "format": "wav"}},
        {"web_search_options": {}, "tools": [{"type": "custom", "custom": {"name": "f"}}]},
        {"response_format": {"type": "structural_tag"}},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "allowed_tools"}},
        {"logit_bias": {"1": 1}},
        {"top_k": 3, "n": 2},
        {"unheard_of": None, "guided_json": {}},
    ],
)
@pytest.mark.parametrize("other", ["openai-responses", "anthropic-messages"])
def test_what_another_dialect_cannot_say_is_refused(more: Body, other: Dialect) -> None:
    assert translate({**ASKED, **more}, "openai-chat", anything(other)).body is None


def test_what_only_anthropic_says_is_refused_elsewhere(glm: Target) -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
    cited = {"type": "document", "source": source, "citations": {"enabled": True}}
    body = {"model": "c", "max_tokens": 5, "messages": [{"role": "user", "content": [cited]}]}
    assert translate(body, "anthropic-messages", anything("openai-chat")).body is None
    tool = {"name": "f", "input_schema": SCHEMA, "defer_loading": True}
    found = translate({**body, "messages": ASKED["messages"], "tools": [tool]}, "anthropic-messages", glm)
    assert words(found)["tools"] == "'defer_loading' of tools left out"


def test_an_unknown_parameter_is_never_dropped_silently() -> None:
    found = translate({**ASKED, "guided_json": {}}, "openai-chat", anything("anthropic-messages"))
    assert words(found)["parameters"] == "'guided_json' has no counterpart"
    assert found.body is None


def test_history_that_lies_with_a_vendor_cannot_move(glm: Target) -> None:
    body = {"model": "o3", "input": "Hi", "previous_response_id": "resp_1"}
    assert [finding.rule for finding in translate(body, "openai-responses", glm).refused] == ["stored_history"]


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
CALL = st.tuples(st.sampled_from(["weather", "time"]), st.dictionaries(TEXT, TEXT | st.integers(-9, 9), max_size=2))
ROUND = st.tuples(TEXT, st.booleans(), st.none() | TEXT, st.lists(st.tuples(CALL, TEXT), max_size=2))


@st.composite
def chats(draw: st.DrawFn) -> Body:
    """Whole conversations in OpenAI chat with texts, pictures, calls and results."""
    messages: list[Body] = [{"role": "system", "content": draw(TEXT)}] if draw(st.booleans()) else []
    for place, (said, picture, answer, calls) in enumerate(draw(st.lists(ROUND, min_size=1, max_size=3))):
        image = {"type": "image_url", "image_url": {"url": PICTURE}}
        messages.append({"role": "user", "content": [{"type": "text", "text": said}, image] if picture else said})
        named = [(f"c{place}_{number}", call, result) for number, (call, result) in enumerate(calls)]
        if named:
            listed = [{"id": id, "type": "function", "function": {"name": name, "arguments": compact(arguments)}}
                      for id, (name, arguments), _ in named]  # fmt: skip
            messages.append({"role": "assistant", "content": answer, "tool_calls": listed})
            messages += [{"role": "tool", "tool_call_id": id, "content": result} for id, _, result in named]
        elif answer is not None:
            messages.append({"role": "assistant", "content": answer})
    messages.append({"role": "user", "content": draw(TEXT)})
    tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("weather", "time")]
    options = draw(st.fixed_dictionaries({}, optional={
        "temperature": st.sampled_from([0.0, 0.5, 1.0]), "top_p": st.just(0.9), "stream": st.just(True),
        "tool_choice": st.sampled_from(["auto", "none", "required"]), "parallel_tool_calls": st.booleans(),
    }))  # fmt: skip
    return {"model": "gpt-4o", "messages": messages, "tools": tools, "max_tokens": 64, **options}


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize("other", ["openai-responses", "anthropic-messages"])
@given(body=chats())
def test_there_and_back_the_request_is_the_same(other: Dialect, body: Body) -> None:
    there = translate(body, "openai-chat", anything(other)).body
    assert there is not None
    back = translate(there, other, anything("openai-chat")).body
    assert back is not None
    before, after = (features_of(side, "openai-chat") for side in (body, back))
    same = ("system", "tools", "images", "tool_turns", "temperature", "top_p",
            "max_output_tokens", "stream")  # fmt: skip
    assert {name: getattr(before, name) for name in same} == {name: getattr(after, name) for name in same}
    assert (before.tool_choice or "auto") == (after.tool_choice or "auto")
    assert before.tool_choice == "none" or before.parallel_tools == after.parallel_tools
    assert said(body, "openai-chat") == said(back, "openai-chat")


def said(body: Body, dialect: Dialect) -> list[object]:
    """Everything that stands in the history, in order, whoever's turn it is cut into."""
    conversation = module_of(dialect).read(body, Ledger())
    return [(turn.role, part) for turn in conversation.turns for part in turn.parts]


ROUTES = [(source, other) for source in DIALECTS for other in DIALECTS]


@pytest.mark.parametrize(("source", "other"), ROUTES)
@given(body=st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "input", "tool_calls", "function", "name"]),
                      inner | st.sampled_from(["user", "assistant", "tool", "tool_use", "image_url"]), max_size=3),
    max_leaves=12,
))  # fmt: skip
def test_odd_requests_are_answered_and_never_crash(source: Dialect, other: Dialect, body: Any) -> None:
    key = "input" if source == "openai-responses" else "messages"
    found = translate({"model": "x", key: body, "tools": body, "tool_choice": body}, source, anything(other))
    assert (found.body is None) == bool(found.refused)
    if found.body is not None:
        assert canonical_json(found.body)


def real_requests(data: Path) -> Iterator[Body]:
    found: list[Body] = []
    names = ("http_capture_request_response", "langfuse_observations_api", "litellm_standard_logging_payload",
             "otlp_genai_openinference", "frugon_request_response")  # fmt: skip
    paths = [str(data / "formats" / f"{name}.jsonl") for name in names]
    read(paths, ReadOptions(keep_text=True), on_call=lambda call, _: found.append(call.request or {}))
    return iter(found)


def test_real_requests_are_read_and_written_whole(data: Path, glm: Target, claude: Target) -> None:
    seen = dict.fromkeys(DIALECTS, 0)
    for body in real_requests(data):
        source = dialect_of(body)
        if source is None:
            continue
        seen[source] += 1
        for target in (glm, claude, anything("openai-responses")):
            written, findings = examine(body, features_of(body, source), target)
            assert {finding.rule for finding in findings} <= RULES.keys()
            assert all(finding.words or finding.verdict == "ok" for finding in findings)
            if all(finding.verdict != "refused" for finding in findings):
                assert written["model"] == target.model
                texts = [part.text for turn in module_of(source).read(body, Ledger()).turns for part in turn.parts
                         if hasattr(part, "text")]  # fmt: skip
                sent = compact(written)
                assert all(compact(text)[1:-1] in sent for text in texts)
    assert seen["openai-chat"] > 400
    assert seen["openai-responses"] > 50
    assert seen["anthropic-messages"] > 20
