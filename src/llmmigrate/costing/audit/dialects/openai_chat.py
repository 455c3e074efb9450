"""OpenAI chat completions (reference: platform.openai.com/docs/api-reference/chat)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from llmmigrate.costing.audit.conversation import (
    Conversation,
    Media,
    Part,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    media_at,
    shown,
)
from llmmigrate.costing.audit.findings import Ledger
from llmmigrate.costing.audit.requests import Body, Features, function_of, objects

PARAMETERS: Final = frozenset(
    {
        "model", "messages", "tools", "functions", "tool_choice", "function_call", "parallel_tool_calls",
        "response_format", "stream", "stream_options", "n", "seed", "stop", "logprobs", "top_logprobs", "temperature",
        "top_p", "top_k", "max_tokens", "max_completion_tokens", "reasoning_effort", "thinking", "verbosity",
        "frequency_penalty", "presence_penalty", "repetition_penalty", "logit_bias", "modalities", "audio",
        "web_search_options",
    }
)  # fmt: skip
_SYSTEM: Final = ("system", "developer")
_OWN_KEYS: Final = frozenset({"role", "content", "tool_calls", "tool_call_id", "function_call", "name", "annotations"})
"""Keys of messages that are carried over or hold nothing that another model could use."""
_THOUGHTS: Final = frozenset({"reasoning_content", "reasoning", "reasoning_details", "thinking_blocks"})


def read(body: Mapping[str, Any], ledger: Ledger) -> Conversation:
    """See `DialectModule`."""
    turns: list[Turn] = []
    for message in messages_of(body, ledger):
        turns.extend(_turns(message, turns, ledger))
    tools = [function_of(tool) for tool in objects(body.get("tools"))] + objects(body.get("functions"))
    _note_answer(body, ledger)
    return Conversation(tuple(turns), tuple(tools_of(tools, "parameters", ledger)))


def _note_answer(body: Mapping[str, Any], ledger: Ledger) -> None:
    """Refuse forms of an answer that no other dialect has."""
    form, modalities = body.get("response_format"), body.get("modalities")
    if isinstance(form, dict) and form.get("type") not in ("text", "json_object", "json_schema"):
        ledger.note("body", "refused", f"an answer in the form '{shown(form.get('type'))}', which has no counterpart")
    if isinstance(modalities, list) and "audio" in modalities:
        ledger.note("audio", "refused", "a spoken answer, which the other dialects do not have")


def messages_of(body: Mapping[str, Any], ledger: Ledger) -> list[dict[str, Any]]:
    """The messages of a body that are objects; others are refused."""
    listed = body.get("messages")
    found = objects(listed)
    if isinstance(listed, list) and len(found) < len(listed):
        ledger.note("body", "refused", "a message that is no object cannot be sent")
    return found


def tools_of(tools: Iterable[Mapping[str, Any]], schema_key: str, ledger: Ledger) -> Iterator[Tool]:
    """The tools that have a name; notes what of them the other dialects do not have."""
    known = {"type", "name", "strict", "description", "cache_control", schema_key}
    for tool in tools:
        if extras := {key for key, value in tool.items() if value is not None} - known:
            ledger.note("tools", "translated", f"'{shown(min(extras))}' of tools left out")
        name, schema, strict, about = (tool.get(key) for key in ("name", schema_key, "strict", "description"))
        if isinstance(name, str):
            yield Tool(
                name=name,
                description=about if isinstance(about, str) else None,
                schema=schema if isinstance(schema, dict) else {"type": "object", "properties": {}},
                strict=strict if isinstance(strict, bool) else None,
            )


def _turns(message: dict[str, Any], before: list[Turn], ledger: Ledger) -> Iterator[Turn]:
    role = message.get("role")
    _note_extras(message, ledger)
    if role in _SYSTEM:
        yield Turn("system", tuple(_parts(message.get("content"), ledger)))
    elif role == "user":
        yield Turn("user", tuple(_parts(message.get("content"), ledger)))
    elif role == "assistant":
        yield Turn("assistant", (*_parts(message.get("content"), ledger), *_calls(message, len(before))))
    elif role in ("tool", "function"):
        named = message.get("tool_call_id") if role == "tool" else _last_call(before)
        parts = tuple(part for part in _parts(message.get("content"), ledger) if isinstance(part, Text | Media))
        yield Turn("user", (ToolResult(str(named), parts),))
        if not isinstance(named, str):
            ledger.note("tool_history", "refused", "a tool's result that belongs to no call")
    else:
        ledger.note("body", "refused", f"a message with the role '{shown(role)}'")


def _note_extras(message: Mapping[str, Any], ledger: Ledger) -> None:
    told = {key for key, value in message.items() if value is not None} - _OWN_KEYS
    if message.get("name") is not None and message.get("role") not in ("tool", "function"):
        ledger.note("body", "translated", "names of speakers left out")
    if told & _THOUGHTS:
        ledger.note("reasoning", "translated", "thoughts of earlier turns left out: only their own model can read them")
    if isinstance(message.get("refusal"), str) and not message.get("content"):
        ledger.note("body", "translated", "an earlier refusal is written as text")
    rest = told - _THOUGHTS - {"refusal"}
    if rest:
        ledger.note("body", "refused", f"messages with '{shown(min(rest))}', which has no counterpart")


def _parts(content: Any, ledger: Ledger) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for part in objects(content):
        found = _part(part, ledger)
        if found is not None:
            yield found


def _part(part: dict[str, Any], ledger: Ledger) -> Part | None:
    kind = part.get("type")
    if part.get("cache_control") is not None:
        ledger.note("caching", "translated", "marks for the prompt cache left out")
    if kind in ("text", "refusal", None) and isinstance(text := part.get("text", part.get("refusal")), str):
        return Text(text) if text else None
    found = _media(kind, part.get(kind) if isinstance(kind, str) else None)
    if found is None:
        ledger.note("body", "refused", f"a part '{shown(kind)}' that cannot be put into another dialect")
    return found


def _media(kind: Any, inner: Any) -> Media | None:
    """A picture, audio or file of a message; None where it lies with the vendor or cannot be read."""
    told = {"url": inner} if isinstance(inner, str) else inner if isinstance(inner, dict) else {}
    if kind == "image_url" and isinstance(url := told.get("url"), str):
        return media_at("image", url, detail=detail_of(told.get("detail")))
    if kind == "input_audio":
        return audio_of(told)
    if kind == "file" and isinstance(data := told.get("file_data"), str):
        name = told.get("filename")
        return media_at("file", data, name=name if isinstance(name, str) else None)
    return None


def detail_of(told: Any) -> str | None:
    """How closely a picture is to be looked at; `auto` is what nobody has to say."""
    return told if isinstance(told, str) and told != "auto" else None


def audio_of(told: Mapping[str, Any]) -> Media | None:
    """Audio as both of OpenAI's dialects write it."""
    data, form = told.get("data"), told.get("format")
    if not isinstance(data, str) or not isinstance(form, str):
        return None
    return Media(kind="audio", data=data, media_type=form)


def _calls(message: Mapping[str, Any], position: int) -> Iterator[Part]:
    for call in objects(message.get("tool_calls")):
        inner = call.get("function")
        if isinstance(inner, dict):
            yield _call(call.get("id"), inner, position)
    legacy = message.get("function_call")
    if isinstance(legacy, dict):
        yield _call(None, legacy, position)
    if isinstance(said := message.get("refusal"), str) and said and not message.get("content"):
        yield Text(said)


def _call(id: Any, inner: Mapping[str, Any], position: int) -> ToolCall:
    arguments = inner.get("arguments")
    return ToolCall(
        id if isinstance(id, str) else f"call_{position}",
        str(inner.get("name")),
        arguments if isinstance(arguments, str) else "",
    )


def _last_call(before: list[Turn]) -> str | None:
    """The call that a legacy function's result answers: the last one."""
    calls = (part for turn in reversed(before) for part in turn.parts if isinstance(part, ToolCall))
    return next((call.id for call in calls), None)


def write(conversation: Conversation, asked: Features, left_out: frozenset[str], ledger: Ledger) -> Body:
    """See `DialectModule`."""
    body: Body = {"messages": [message for turn in conversation.turns for message in _messages(turn, ledger)]}
    if conversation.tools:
        body["tools"] = [{"type": "function", "function": described(tool, left_out)} for tool in conversation.tools]
        choice = asked.tool_choice
        if choice is not None:
            named = choice in asked.tools
            body["tool_choice"] = {"type": "function", "function": {"name": choice}} if named else choice
        if asked.parallel_tools is not None and "parallel_tools" not in left_out:
            body["parallel_tool_calls"] = asked.parallel_tools
    if asked.response_format is not None:
        wanted = asked.response_format
        if wanted.kind == "json_object" or "json_schema" in left_out:
            body["response_format"] = {"type": "json_object"}
        else:
            schema = {"name": wanted.name or "answer", "schema": wanted.schema, "strict": wanted.strict}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
    body.update(_parameters(asked, left_out))
    return body


def described(tool: Tool, left_out: frozenset[str]) -> dict[str, Any]:
    """A tool as both of OpenAI's dialects write it."""
    strict = None if "strict_tools" in left_out else tool.strict
    told = {"name": tool.name, "description": tool.description, "parameters": tool.schema, "strict": strict}
    return {key: value for key, value in told.items() if value is not None}


def _parameters(asked: Features, left_out: frozenset[str]) -> Iterator[tuple[str, Any]]:
    plain = {
        "max_tokens": asked.max_output_tokens,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "stop": list(asked.stop) or None,
        "verbosity": asked.verbosity,
    }
    yield from ((name, value) for name, value in plain.items() if value is not None and name not in left_out)
    if asked.logprobs:
        yield "logprobs", True
        if asked.top_logprobs is not None:
            yield "top_logprobs", asked.top_logprobs
    if asked.stream:
        yield "stream", True
        if "stream_usage" not in left_out:
            yield "stream_options", {"include_usage": True}


def _messages(turn: Turn, ledger: Ledger) -> Iterator[dict[str, Any]]:
    for part in turn.parts:
        if isinstance(part, ToolResult):
            yield {"role": "tool", "tool_call_id": part.id, "content": result_text(part, ledger)}
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    said = [part for part in turn.parts if isinstance(part, Text | Media)]
    if not calls and not said:
        return
    message: dict[str, Any] = {"role": turn.role, "content": _content(said)}
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    yield message


def result_text(result: ToolResult, ledger: Ledger) -> str:
    """A tool's result as text; one that holds more cannot be said here."""
    if any(isinstance(part, Media) for part in result.parts):
        ledger.note("tool_history", "refused", "a tool's result that holds a picture or a file")
    return "".join(part.text for part in result.parts if isinstance(part, Text))


def _content(parts: list[Text | Media]) -> Any:
    if not parts:
        return None
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [_written(part) for part in parts]


def _written(part: Text | Media) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if part.kind == "image":
        detail = {} if part.detail is None else {"detail": part.detail}
        return {"type": "image_url", "image_url": {"url": part.address, **detail}}
    if part.kind == "audio":
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.media_type}}
    return {"type": "file", "file": {"filename": part.name or "file", "file_data": part.address}}
