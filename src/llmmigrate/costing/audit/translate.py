"""A logged request, written as a target takes it.

In its own dialect a request stays as it is but for the model and for what this one target wants otherwise. Into
another dialect it is written anew. Every change is a finding; what cannot be said at the target is refused.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from llmmigrate.costing.audit.conversation import shown
from llmmigrate.costing.audit.dialects import module_of
from llmmigrate.costing.audit.findings import Finding, Ledger, Translation
from llmmigrate.costing.audit.reasoning import write_reasoning
from llmmigrate.costing.audit.requests import Body, Features, features_of, objects
from llmmigrate.costing.audit.rules import ACCOUNTING, check, keys_of
from llmmigrate.costing.audit.targets import Target
from llmmigrate.units import Dialect

DEFAULT_OUTPUT: Final = 8192
"""The longest answer where a dialect demands one, the request names none and the target's own is not known."""
DIALECT_NAMES: Final[Mapping[Dialect, str]] = {
    "openai-chat": "OpenAI chat", "openai-responses": "OpenAI Responses", "anthropic-messages": "Anthropic Messages",
}  # fmt: skip
_ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")
_CHOICES: Final = ("auto", "none", "required")
_LIMITS: Final[Mapping[Dialect, str]] = {
    "openai-chat": "max_tokens", "openai-responses": "max_output_tokens", "anthropic-messages": "max_tokens",
}  # fmt: skip
_OUTPUT_KEYS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")


def translate(
    body: Mapping[str, Any], source: Dialect, target: Target, *, features: Features | None = None
) -> Translation:
    """The body to send to `target` in its dialect, what was changed for it, and what it cannot take.

    `features` of the body, where they were read already.
    """
    written, findings = examine(body, features or features_of(body, source), target)
    refused = tuple(finding for finding in findings if finding.verdict == "refused")
    changes = tuple(finding for finding in findings if finding.verdict == "translated")
    doubts = tuple(finding for finding in findings if finding.verdict == "unknown")
    return Translation(body=None if refused else written, changes=changes, doubts=doubts, refused=refused)


def examine(body: Mapping[str, Any], asked: Features, target: Target) -> tuple[Body, tuple[Finding, ...]]:
    """The body, of which `asked` are the features, as the target takes it, and every finding, also where all is ok."""
    ledger = Ledger()
    if asked.dialect == target.dialect and asked.model == target.model:
        return dict(body), ledger.findings
    _check_history(body, asked, ledger)
    left_out = check(body, asked, target, ledger)
    if asked.dialect == target.dialect:
        written = _kept(body, asked, left_out, target, ledger)
    else:
        written = _rewritten(body, asked, left_out, target, ledger)
    if "json_schema" in left_out and asked.response_format is not None:
        _add_instruction(written, _schema_words(asked.response_format.schema or {}), target.dialect)
    _name_longest(written, asked, target, ledger)
    write_reasoning(written, asked, target, ledger)
    return {"model": target.model, **written}, ledger.findings


def limited(made: Translation, target: Target, longest: int) -> Translation:
    """A translated request with a limit on the answer, in tokens, under the name that the target has for it."""
    if made.body is None:
        return made
    name = _LIMITS[target.dialect]
    name = target.renames.get(name, name)
    body = {key: value for key, value in made.body.items() if key not in _OUTPUT_KEYS}
    change = Finding("max_tokens", "translated", f"answers limited to {longest:,} tokens, as asked for")
    return replace(made, body={**body, name: longest}, changes=(*made.changes, change))


def _check_history(body: Mapping[str, Any], asked: Features, ledger: Ledger) -> None:
    """Refuse a history that no endpoint takes: logs hold messages as some library saw them, too."""
    if asked.turns == 0 and asked.system is None and not asked.stored_history:
        ledger.note("body", "refused", "a request without a message")
    listed = body.get("messages", body.get("input"))
    turns = objects(listed)
    if isinstance(listed, list) and len(turns) < len(listed):
        ledger.note("body", "refused", "a message that is no object cannot be sent")
    if any(turn.get("role") not in _ROLES and "type" not in turn for turn in turns):
        ledger.note("body", "refused", "a message without a known role")


def _kept(body: Mapping[str, Any], asked: Features, left_out: frozenset[str], target: Target, ledger: Ledger) -> Body:
    """The body in its own dialect, without what has to be left out."""
    gone = keys_of(left_out)
    kept = {key: value for key, value in body.items() if key not in gone and key != "model"}
    if "json_schema" in left_out:
        kept.update(_json_mode(body, asked.dialect))
    if "strict_tools" in left_out:
        kept["tools"] = [_without_strict(tool) for tool in body["tools"]]
    if target.dialect == "openai-chat" and not target.is_maker:
        kept["messages"] = _system_roles(body, ledger)
    known = module_of(asked.dialect).PARAMETERS | ACCOUNTING[asked.dialect]
    for key in sorted(asked.parameters - known - gone):
        ledger.note("parameters", "unknown", f"'{shown(key)}' is sent as it is, not known to be taken")
    return kept


def _json_mode(body: Mapping[str, Any], dialect: Dialect) -> Body:
    """The keys that ask for any JSON object."""
    if dialect == "openai-responses":
        return {"text": {**body["text"], "format": {"type": "json_object"}}}
    return {"response_format": {"type": "json_object"}}


def _without_strict(tool: Any) -> Any:
    if not isinstance(tool, dict):
        return tool
    kept = {key: value for key, value in tool.items() if key != "strict"}
    if isinstance(kept.get("function"), dict):
        kept["function"] = {key: value for key, value in kept["function"].items() if key != "strict"}
    return kept


def _system_roles(body: Mapping[str, Any], ledger: Ledger) -> Any:
    """Messages with the role that every server of the dialect knows; `developer` is OpenAI's own."""
    messages = body.get("messages")
    if not any(message.get("role") == "developer" for message in objects(messages)):
        return messages
    ledger.note("system", "translated", "the role developer becomes system")
    return [
        {**message, "role": "system"} if isinstance(message, dict) and message.get("role") == "developer" else message
        for message in messages or ()
    ]


def _rewritten(
    body: Mapping[str, Any], asked: Features, left_out: frozenset[str], target: Target, ledger: Ledger
) -> Body:
    """The body written anew in the target's dialect."""
    ledger.note("dialect", "translated", f"{DIALECT_NAMES[asked.dialect]} written as {DIALECT_NAMES[target.dialect]}")
    source = module_of(asked.dialect)
    known = source.PARAMETERS | ACCOUNTING[asked.dialect] | {"include"}
    for key in sorted(asked.parameters - known):
        ledger.note("parameters", "refused", f"'{shown(key)}' has no counterpart")
    if asked.tool_choice not in (None, *_CHOICES, *asked.tools):
        ledger.note("tool_choice", "refused", f"a choice of tools '{shown(asked.tool_choice)}' that has no counterpart")
    conversation = source.read(body, ledger)
    return module_of(target.dialect).write(conversation, asked, left_out, ledger)


def _schema_words(schema: Mapping[str, Any]) -> str:
    text = msgspec.json.encode(schema).decode()
    return f"Answer with one JSON object that is valid against this JSON Schema, and with nothing else:\n{text}"


def _add_instruction(body: Body, words: str, dialect: Dialect) -> None:
    """Put an instruction before the conversation."""
    if dialect == "openai-responses":
        body["instructions"] = "\n\n".join(filter(None, (body.get("instructions"), words)))
    else:
        body["messages"] = [{"role": "system", "content": words}, *(body.get("messages") or ())]


def _name_longest(body: Body, asked: Features, target: Target, ledger: Ledger) -> None:
    """The longest answer under the name and within the limit that the target has."""
    key = next((key for key in _OUTPUT_KEYS if body.get(key) is not None), None)
    if key is None:
        if target.dialect == "anthropic-messages":
            body["max_tokens"] = target.max_output or DEFAULT_OUTPUT
            ledger.note(
                "max_tokens", "translated", f"max_tokens of {body['max_tokens']:,} added: the dialect demands one"
            )
        return
    name = target.renames.get(key, key)
    if name != key:
        longest = body[key]
        for other in _OUTPUT_KEYS:
            body.pop(other, None)
        body[name] = longest
        ledger.note("max_tokens", "translated", f"{key} becomes {name}")
    else:
        ledger.note("max_tokens", "ok", "")
    limit, wanted = target.max_output, asked.max_output_tokens
    if limit is not None and wanted is not None and wanted > limit:
        body[name] = limit
        ledger.note("max_output", "translated", f"longest answer lowered to {limit:,}, the most that the target gives")
