"""OpenAI Responses (reference: platform.openai.com/docs/api-reference/responses)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from llmmigrate.costing.audit.conversation import (
    Conversation,
    Media,
    Part,
    Role,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    media_at,
    shown,
)
from llmmigrate.costing.audit.dialects.openai_chat import audio_of, described, detail_of, result_text, tools_of
from llmmigrate.costing.audit.findings import Ledger
from llmmigrate.costing.audit.requests import Body, Features, objects

PARAMETERS: Final = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "stream", "reasoning",
        "max_output_tokens", "temperature", "top_p", "top_logprobs", "include", "previous_response_id", "conversation",
        "prompt",
    }
)  # fmt: skip
_ROLES: Final[Mapping[str, Role]] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant",
}  # fmt: skip
_TEXTS: Final = ("input_text", "output_text", "text", "refusal")


def read(body: Mapping[str, Any], ledger: Ledger) -> Conversation:
    """See `DialectModule`."""
    told = body.get("instructions")
    instructions = [Turn("system", (Text(told),))] if isinstance(told, str) and told else []
    turns = [turn for item in _items(body, ledger) if (turn := _turn(item, ledger)) is not None]
    tools = [tool for tool in objects(body.get("tools")) if tool.get("type") in (None, "function")]
    if any(tool.get("strict") is None for tool in tools):
        ledger.note(
            "strict_tools", "translated", "tool arguments are not held to their schema, as Responses does by itself"
        )
    return Conversation((*instructions, *_joined(turns)), tuple(tools_of(tools, "parameters", ledger)))


def _items(body: Mapping[str, Any], ledger: Ledger) -> list[dict[str, Any]]:
    given = body.get("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    found = objects(given)
    if isinstance(given, list) and len(found) < len(given):
        ledger.note("body", "refused", "an item of the input that is no object cannot be sent")
    return found


def _turn(item: dict[str, Any], ledger: Ledger) -> Turn | None:
    kind, role = item.get("type", "message"), item.get("role")
    if kind == "message" and isinstance(role, str) and role in _ROLES:
        return Turn(_ROLES[role], tuple(_parts(item.get("content"), ledger)))
    if kind == "function_call":
        arguments = item.get("arguments")
        call = ToolCall(_id(item), str(item.get("name")), arguments if isinstance(arguments, str) else "")
        return Turn("assistant", (call,))
    if kind == "function_call_output":
        parts = (part for part in _parts(item.get("output"), ledger) if isinstance(part, Text | Media))
        return Turn("user", (ToolResult(_id(item), tuple(parts)),))
    if kind == "reasoning":
        ledger.note("reasoning", "translated", "thoughts of earlier turns left out: only their own model can read them")
    else:
        ledger.note("body", "refused", f"an item '{shown(kind)}' that cannot be put into another dialect")
    return None


def _id(item: Mapping[str, Any]) -> str:
    return str(item.get("call_id") or item.get("id"))


def _joined(turns: list[Turn]) -> Iterator[Turn]:
    """Turns with an assistant's text and its calls in one, as the other dialects write them."""
    held: Turn | None = None
    for turn in turns:
        if held is not None and held.role == turn.role == "assistant" and _calls_only(turn):
            held = Turn("assistant", held.parts + turn.parts)
            continue
        if held is not None:
            yield held
        held = turn
    if held is not None:
        yield held


def _calls_only(turn: Turn) -> bool:
    return all(isinstance(part, ToolCall) for part in turn.parts)


def _parts(content: Any, ledger: Ledger) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for part in objects(content):
        kind = part.get("type")
        text = part.get("text", part.get("refusal"))
        if kind in _TEXTS and isinstance(text, str):
            if text:
                yield Text(text)
            continue
        found = _media(kind, part)
        if found is not None:
            yield found
        else:
            ledger.note("body", "refused", f"a part '{shown(kind)}' that cannot be put into another dialect")


def _media(kind: Any, part: Mapping[str, Any]) -> Media | None:
    """A picture, audio or file; None where it lies with the vendor or cannot be read."""
    if kind == "input_image" and isinstance(url := part.get("image_url"), str):
        return media_at("image", url, detail=detail_of(part.get("detail")))
    if kind == "input_audio":
        inner = part.get("input_audio")
        return audio_of(inner) if isinstance(inner, dict) else None
    if kind == "input_file":
        name, address = part.get("filename"), part.get("file_data", part.get("file_url"))
        if isinstance(address, str):
            return media_at("file", address, name=name if isinstance(name, str) else None)
    return None


def write(conversation: Conversation, asked: Features, left_out: frozenset[str], ledger: Ledger) -> Body:
    """See `DialectModule`."""
    body: Body = {"input": [item for turn in conversation.turns for item in _written(turn, ledger)], "store": False}
    if conversation.tools:
        # here a tool is strict unless the request says otherwise; in the other dialects it is the other way round
        body["tools"] = [
            {"type": "function", "strict": False, **described(tool, left_out)} for tool in conversation.tools
        ]
        choice = asked.tool_choice
        if choice is not None:
            body["tool_choice"] = {"type": "function", "name": choice} if choice in asked.tools else choice
        if asked.parallel_tools is not None and "parallel_tools" not in left_out:
            body["parallel_tool_calls"] = asked.parallel_tools
    text = _text(asked, left_out)
    if text:
        body["text"] = text
    plain = {
        "max_output_tokens": asked.max_output_tokens,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
    }
    body.update((name, value) for name, value in plain.items() if value is not None and name not in left_out)
    if asked.logprobs:
        body["include"] = ["message.output_text.logprobs"]
        if asked.top_logprobs is not None:
            body["top_logprobs"] = asked.top_logprobs
    if asked.stream:
        body["stream"] = True
    return body


def _text(asked: Features, left_out: frozenset[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    wanted = asked.response_format
    if wanted is not None:
        if wanted.kind == "json_object" or "json_schema" in left_out:
            told["format"] = {"type": "json_object"}
        else:
            schema = {"name": wanted.name or "answer", "schema": wanted.schema, "strict": wanted.strict}
            told["format"] = {"type": "json_schema", **schema}
    if asked.verbosity is not None and "verbosity" not in left_out:
        told["verbosity"] = asked.verbosity
    return told


def _written(turn: Turn, ledger: Ledger) -> Iterator[dict[str, Any]]:
    said = [part for part in turn.parts if isinstance(part, Text | Media)]
    for part in turn.parts:
        if isinstance(part, ToolResult):
            yield {"type": "function_call_output", "call_id": part.id, "output": result_text(part, ledger)}
    if turn.role == "assistant" and any(isinstance(part, Media) for part in said):
        ledger.note("body", "refused", "an answer of the history that holds a picture or a file")
    if turn.role == "assistant" or (len(said) == 1 and isinstance(said[0], Text)):
        yield from ({"role": turn.role, "content": part.text} for part in said if isinstance(part, Text))
    elif said:
        yield {"role": turn.role, "content": [_piece(part) for part in said]}
    for part in turn.parts:
        if isinstance(part, ToolCall):
            yield {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments}


def _piece(part: Text | Media) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    if part.kind == "image":
        return {"type": "input_image", "image_url": part.address, "detail": part.detail or "auto"}
    if part.kind == "audio":
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.media_type}}
    if part.url is not None:
        return {"type": "input_file", "file_url": part.url}
    return {"type": "input_file", "filename": part.name or "file", "file_data": part.address}
