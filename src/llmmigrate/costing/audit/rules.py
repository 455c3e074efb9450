"""What a request asks for against what a target can do: one rule a thing that can be asked for.

Two kinds. A *demand* is something that a program relies on (a tool, a schema, a picture, a second answer): what a
target cannot give is refused. A *hint* changes how an answer is drawn, not what may be relied on (sampling, a seed, the
length wished for): what a target does not take is left out, and that is said.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from llmmigrate.costing.audit.findings import Finding, Ledger
from llmmigrate.costing.audit.requests import Features
from llmmigrate.costing.audit.targets import Target
from llmmigrate.units import Dialect

ACCOUNTING: Final[Mapping[Dialect, frozenset[str]]] = {
    "openai-chat": frozenset(
        {"metadata", "user", "store", "service_tier", "prompt_cache_key", "prompt_cache_retention",
         "safety_identifier", "prediction"}
    ),
    "openai-responses": frozenset(
        {"metadata", "user", "store", "service_tier", "prompt_cache_key", "prompt_cache_retention",
         "safety_identifier", "truncation", "stream_options", "background", "max_tool_calls"}
    ),
    "anthropic-messages": frozenset(
        {"metadata", "service_tier", "anthropic_version", "anthropic_beta", "betas", "cache_control"}
    ),
}  # fmt: skip
"""Keys for the vendor's own books, caches and queues: no answer depends on them."""

RULES: Final[Mapping[str, str]] = {
    "body": "history that can be read and sent",
    "context": "prompt and answer within the context window",
    "max_output": "longest answer within what the target can give",
    "max_tokens": "how the longest answer is named, and that it is named",
    "dialect": "the dialect that the request is written in",
    "system": "where instructions may stand, and as which role",
    "tools": "tools offered or used",
    "tool_choice": "a tool that has to be called",
    "parallel_tools": "several tool calls at once, allowed or forbidden",
    "strict_tools": "tool arguments held to their schema",
    "hosted_tools": "tools that the vendor runs",
    "tool_history": "tool calls and results in the history",
    "json_object": "an answer that is JSON",
    "json_schema": "an answer of a given schema",
    "images": "pictures in the prompt",
    "audio": "audio in prompt or answer",
    "files": "PDF and other files in the prompt",
    "n": "several answers to one prompt",
    "logprobs": "probabilities of tokens",
    "logit_bias": "tokens made likelier or forbidden",
    "stop": "texts at which the answer ends",
    "prefill": "the beginning of an answer that the model is to go on with",
    "stored_history": "history that lies with the vendor",
    "stream_usage": "usage at the end of a stream",
    "reasoning": "how much the model is to think",
    "temperature": "sampling temperature",
    "top_p": "nucleus sampling",
    "top_k": "sampling among the k likeliest tokens",
    "penalties": "penalties on repetition",
    "seed": "a seed for sampling",
    "verbosity": "how long an answer is wished to be",
    "caching": "marks for the prompt cache",
    "metadata": "keys for the vendor's own books",
    "parameters": "any other parameter",
}
"""Every rule and what it looks at."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Something that a program relies on."""

    rule: str
    ability: str
    asked: Callable[[Features], bool]
    lacking: str
    """What to say where the target cannot do it."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Something that can be left out."""

    rule: str
    keys: tuple[str, ...]
    """The keys that it has in any dialect."""


DEMANDS: Final = (
    Demand("tools", "tools", lambda f: bool(f.tools or f.tool_turns), "the target takes no tools"),
    Demand("tool_choice", "forced_tools", lambda f: f.tool_choice not in (None, "auto", "none"),
           "the target chooses tools itself: none can be forced"),
    Demand("hosted_tools", "hosted_tools", lambda f: bool(f.hosted_tools), "the target does not run these tools"),
    Demand("json_object", "json_object", lambda f: _format(f) == "json_object", "the target has no JSON mode"),
    Demand("images", "vision", lambda f: f.images > 0, "the target reads no pictures"),
    Demand("audio", "audio", lambda f: f.audio > 0, "the target takes no audio"),
    Demand("files", "pdf", lambda f: f.files > 0, "the target reads no files"),
    Demand("n", "n", lambda f: (f.n or 1) > 1, "the target gives one answer a request"),
    Demand("logprobs", "logprobs", lambda f: f.logprobs, "the target gives no probabilities of tokens"),
    Demand("logit_bias", "logit_bias", lambda f: "logit_bias" in f.parameters, "the target takes no logit bias"),
    Demand("stop", "stop", lambda f: bool(f.stop), "the target knows no stop texts"),
    Demand("prefill", "prefill", lambda f: f.prefill, "the target does not go on with a given beginning"),
)  # fmt: skip

HINTS: Final = (
    Hint("temperature", ("temperature",)),
    Hint("top_p", ("top_p",)),
    Hint("top_k", ("top_k",)),
    Hint("penalties", ("frequency_penalty", "presence_penalty", "repetition_penalty")),
    Hint("seed", ("seed",)),
    Hint("verbosity", ("verbosity",)),
    Hint("parallel_tools", ("parallel_tool_calls",)),
    Hint("stream_usage", ("stream_options",)),
)

_IDLE: Final[Mapping[str, tuple[Any, ...]]] = {"n": (1,), "logprobs": (False,), "logit_bias": ({},)}
"""Values of demands that demand nothing."""


def check(body: Mapping[str, Any], asked: Features, target: Target, ledger: Ledger) -> frozenset[str]:
    """Note what becomes of everything that is asked for; the names of what has to be left out.

    A name is a rule's, or a top-level key's for what belongs to no rule.
    """
    left_out = set(_demands(body, asked, target, ledger))
    left_out.update(_hints(asked, target, ledger))
    left_out.update(_schemas(asked, target, ledger))
    left_out.update(_accounting(asked, target, ledger))
    if asked.stored_history:
        _stored(asked, target, ledger)
    return frozenset(left_out)


def on_tools(target: Target) -> Finding:
    """The finding on a request of which only its answer tells that it offered tools."""
    ledger = Ledger()
    asked = Features(dialect=target.dialect, tool_turns=1)
    check({}, asked, target, ledger)
    return ledger.findings[0]


def keys_of(left_out: frozenset[str]) -> frozenset[str]:
    """The top-level keys that names of `check` stand for."""
    named = {hint.rule: hint.keys for hint in HINTS} | {"logprobs": ("logprobs", "top_logprobs")}
    return frozenset(key for name in left_out for key in named.get(name, (name,)))


def _demands(body: Mapping[str, Any], asked: Features, target: Target, ledger: Ledger) -> Iterator[str]:
    for demand in DEMANDS:
        can = _can(demand, asked, target)
        if demand.asked(asked) and body.get(demand.rule) not in _IDLE.get(demand.rule, ()):
            if can is False:
                ledger.note(demand.rule, "refused", demand.lacking)
            else:
                _note(demand.rule, can, ledger)
        elif can is False and demand.rule in _IDLE and demand.rule in asked.parameters:
            ledger.note(demand.rule, "translated", f"{demand.rule} left out: it asks for nothing")
            yield demand.rule


def _can(demand: Demand, asked: Features, target: Target) -> bool | None:
    """Tools that a vendor runs are its own: none runs in another dialect."""
    if demand.rule == "hosted_tools" and asked.dialect != target.dialect:
        return False
    return target.can(demand.ability)


def _note(rule: str, can: bool | None, ledger: Ledger) -> None:
    """Something that is sent as it is: known to be taken, or not known."""
    ledger.note(rule, "ok" if can else "unknown", "" if can else f"{RULES[rule]}: sent as it is, not known to be taken")


def _hints(asked: Features, target: Target, ledger: Ledger) -> Iterator[str]:
    for hint in HINTS:
        if asked.parameters.isdisjoint(hint.keys) and not _elsewhere(hint, asked):
            continue
        if hint.rule in target.fixed:
            ledger.note(hint.rule, "translated", f"{hint.rule} left out: the target sets it itself")
            yield hint.rule
            continue
        can = target.can(hint.rule)
        if can is False:
            ledger.note(hint.rule, "translated", f"{hint.rule} left out: the target does not take it")
            yield hint.rule
        else:
            _note(hint.rule, can, ledger)


def _elsewhere(hint: Hint, asked: Features) -> bool:
    """Whether a hint is given in another place than a key of its own."""
    if hint.rule == "parallel_tools":
        return asked.parallel_tools is not None
    return hint.rule == "verbosity" and asked.verbosity is not None


def _schemas(asked: Features, target: Target, ledger: Ledger) -> Iterator[str]:
    """Schemas of answers and of tool arguments."""
    can = target.can("json_schema")
    wanted = asked.response_format
    if wanted is not None and wanted.kind == "json_schema":
        if can is not False:
            _note("json_schema", can, ledger)
        elif wanted.strict or target.can("json_object") is not True or wanted.schema is None:
            ledger.note("json_schema", "refused", "the target cannot hold an answer to a schema")
        else:
            ledger.note(
                "json_schema", "translated", "JSON mode instead of a schema, which is added to the instructions"
            )
            yield "json_schema"
    if asked.strict_tools:
        strict = target.can("strict_tools")
        if strict is False:
            ledger.note("strict_tools", "translated", "strict left out: arguments are not held to their schema there")
            yield "strict_tools"
        else:
            _note("strict_tools", strict, ledger)


def _accounting(asked: Features, target: Target, ledger: Ledger) -> Iterator[str]:
    """Keys for the vendor's own books go to nobody else."""
    told = asked.parameters & ACCOUNTING[asked.dialect]
    if not told:
        return
    if target.is_maker and target.dialect == asked.dialect:
        ledger.note("metadata", "ok", "")
        return
    ledger.note("metadata", "translated", f"{', '.join(sorted(told))} left out: for another vendor's books")
    yield from told


def _stored(asked: Features, target: Target, ledger: Ledger) -> None:
    if target.is_maker and target.dialect == asked.dialect:
        ledger.note("stored_history", "unknown", "a part of the history lies with the vendor, while it keeps it")
    else:
        ledger.note("stored_history", "refused", "a part of the history lies with another vendor")


def _format(asked: Features) -> str | None:
    return None if asked.response_format is None else asked.response_format.kind
