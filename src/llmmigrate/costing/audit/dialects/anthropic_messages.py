"""Anthropic Messages (reference: docs.anthropic.com/en/api/messages)."""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

import msgspec

from llmmigrate.costing.audit.conversation import (
    Conversation,
    Media,
    Part,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    is_base64,
    shown,
)
from llmmigrate.costing.audit.dialects.openai_chat import messages_of, tools_of
from llmmigrate.costing.audit.findings import Ledger
from llmmigrate.costing.audit.requests import Body, Features, objects

PARAMETERS: Final = frozenset(
    {
        "model", "messages", "system", "max_tokens", "tools", "tool_choice", "stop_sequences", "stream", "temperature",
        "top_p", "top_k", "thinking", "output_config", "output_format",
    }
)  # fmt: skip
_CHOICES: Final = {"auto": "auto", "none": "none", "required": "any"}
_NO_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")


def read(body: Mapping[str, Any], ledger: Ledger) -> Conversation:
    """See `DialectModule`."""
    system = tuple(_parts(body.get("system"), ledger))
    turns = [Turn("system", system)] if system else []
    for message in messages_of(body, ledger):
        role = message.get("role")
        if role in ("user", "assistant", "system"):
            turns.append(Turn(role, tuple(_parts(message.get("content"), ledger))))
        else:
            ledger.note("body", "refused", f"a message with the role '{shown(role)}'")
    tools = [tool for tool in objects(body.get("tools")) if tool.get("type") in (None, "custom")]
    if any(tool.get("cache_control") is not None for tool in tools):
        ledger.note("caching", "translated", "marks for the prompt cache left out")
    return Conversation(tuple(turns), tuple(tools_of(tools, "input_schema", ledger)))


def _parts(content: Any, ledger: Ledger) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for block in objects(content):
        if block.get("cache_control") is not None:
            ledger.note("caching", "translated", "marks for the prompt cache left out")
        if block.get("type") in ("thinking", "redacted_thinking"):
            ledger.note(
                "reasoning", "translated", "thoughts of earlier turns left out: only their own model can read them"
            )
            continue
        found = _part(block, ledger)
        if found is not None:
            yield found


def _part(block: dict[str, Any], ledger: Ledger) -> Part | None:
    kind = block.get("type")
    if kind == "text" and isinstance(text := block.get("text"), str):
        return Text(text) if text else None
    if kind == "tool_use":
        arguments = msgspec.json.encode(block.get("input") or {}).decode()
        return ToolCall(str(block.get("id")), str(block.get("name")), arguments)
    if kind == "tool_result":
        return _result(block, ledger)
    found = _media(block) if kind in ("image", "document") else None
    if found is None:
        ledger.note("body", "refused", f"a part '{shown(kind)}' that cannot be put into another dialect")
    return found


def _result(block: Mapping[str, Any], ledger: Ledger) -> ToolResult:
    if block.get("is_error") is True:
        ledger.note("tool_history", "translated", "the mark of a failed tool left out; its text stays")
    parts = (part for part in _parts(block.get("content"), ledger) if isinstance(part, Text | Media))
    return ToolResult(str(block.get("tool_use_id")), tuple(parts))


def _media(block: Mapping[str, Any]) -> Text | Media | None:
    """A picture or document; None where it lies with the vendor or cannot be read."""
    source, title, citations = block.get("source"), block.get("title"), block.get("citations")
    if not isinstance(source, dict) or (isinstance(citations, dict) and citations.get("enabled") is True):
        return None
    kind = "image" if block.get("type") == "image" else "file"
    name = title if isinstance(title, str) else None
    data, media_type, url = (source.get(key) for key in ("data", "media_type", "url"))
    if source.get("type") == "url" and isinstance(url, str):
        return Media(kind="image" if kind == "image" else "file", url=url, name=name)
    if source.get("type") == "text" and isinstance(data, str):
        return Text(data)
    if source.get("type") == "base64" and isinstance(data, str) and isinstance(media_type, str) and is_base64(data):
        return Media(kind="image" if kind == "image" else "file", data=data, media_type=media_type, name=name)
    return None


def write(conversation: Conversation, asked: Features, left_out: frozenset[str], ledger: Ledger) -> Body:
    """See `DialectModule`."""
    turns = [turn for turn in conversation.turns if turn.role != "system"]
    body: Body = {"messages": list(_messages(turns, ledger))}
    if asked.system is not None:
        body["system"] = asked.system
    if any(isinstance(part, Media) for turn in conversation.turns if turn.role == "system" for part in turn.parts):
        ledger.note("system", "refused", "instructions that hold a picture or a file")
    if asked.late_system:
        ledger.note("system", "translated", "later instructions moved to the start: the dialect has one place for them")
    if conversation.tools:
        body["tools"] = [_tool(tool, left_out) for tool in conversation.tools]
        choice = _choice(asked, left_out)
        if choice:
            body["tool_choice"] = choice
    _add_format(body, asked, ledger)
    plain = {
        "max_tokens": asked.max_output_tokens,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "stop_sequences": list(asked.stop) or None,
        "stream": asked.stream or None,
    }
    body.update((name, value) for name, value in plain.items() if value is not None and name not in left_out)
    if body.get("temperature", 0) > 1:
        body["temperature"] = 1.0
        ledger.note("temperature", "translated", "temperature lowered to 1, the highest that the dialect has")
    return body


def _add_format(body: Body, asked: Features, ledger: Ledger) -> None:
    wanted = asked.response_format
    if wanted is None or wanted.kind != "json_schema":
        return
    body["output_config"] = {"format": {"type": "json_schema", "schema": wanted.schema}}
    if not wanted.strict:
        ledger.note("json_schema", "translated", "the answer is held to the schema, which the request did not demand")


def _tool(tool: Tool, left_out: frozenset[str]) -> dict[str, Any]:
    strict = None if "strict_tools" in left_out else tool.strict
    schema = dict(tool.schema) if tool.schema else {"type": "object", "properties": {}}
    told = {"name": tool.name, "description": tool.description, "input_schema": schema, "strict": strict}
    return {key: value for key, value in told.items() if value is not None}


def _choice(asked: Features, left_out: frozenset[str]) -> dict[str, Any]:
    chosen = asked.tool_choice
    choice: dict[str, Any] = {}
    if chosen is not None:
        choice = {"type": "tool", "name": chosen} if chosen in asked.tools else {"type": _CHOICES.get(chosen, "auto")}
    if asked.parallel_tools is not None and "parallel_tools" not in left_out and choice.get("type") != "none":
        choice.setdefault("type", "auto")
        choice["disable_parallel_tool_use"] = not asked.parallel_tools
    return choice


def _messages(turns: list[Turn], ledger: Ledger) -> Iterator[dict[str, Any]]:
    """The turns, those of one role in a row as one: results have to stand together, right after their calls."""
    for place, (role, group) in enumerate(groupby(turns, key=lambda turn: turn.role)):
        parts = [part for turn in group for part in turn.parts]
        if place == 0 and role == "assistant":
            ledger.note("body", "refused", "a history that starts with an answer")
        ordered = sorted(parts, key=lambda part: not isinstance(part, ToolResult))
        blocks = [block for part in ordered if (block := _block(part, ledger)) is not None]
        if len(blocks) == 1 and blocks[0]["type"] == "text":
            yield {"role": role, "content": blocks[0]["text"]}
        elif blocks:
            yield {"role": role, "content": blocks}


def _block(part: Part, ledger: Ledger) -> dict[str, Any] | None:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case ToolCall():
            return {"type": "tool_use", "id": _tool_id(part.id), "name": part.name, "input": _input(part, ledger)}
        case ToolResult():
            content = [block for inner in part.parts if (block := _block(inner, ledger)) is not None]
            return {"type": "tool_result", "tool_use_id": _tool_id(part.id), "content": content}
    return _written(part, ledger)


def _tool_id(id: str) -> str:
    """An id in the characters that the dialect allows."""
    return _NO_ID.sub("_", id) or "_"


def _input(call: ToolCall, ledger: Ledger) -> dict[str, Any]:
    """A call's arguments as the object that the dialect wants."""
    try:
        decoded = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        decoded = None
    if isinstance(decoded, dict):
        return decoded
    ledger.note("tool_history", "refused", "a tool call whose arguments are no JSON object")
    return {}


def _written(part: Media, ledger: Ledger) -> dict[str, Any] | None:
    if part.kind == "audio":
        return None  # refused by the rule on audio
    source = (
        {"type": "url", "url": part.url}
        if part.url is not None
        else {"type": "base64", "media_type": part.media_type, "data": part.data}
    )
    if part.kind == "image":
        if part.detail is not None:
            ledger.note("images", "translated", "the wish for how closely to look at a picture left out")
        return {"type": "image", "source": source}
    title = {} if part.name is None else {"title": part.name}
    return {"type": "document", "source": source, **title}
