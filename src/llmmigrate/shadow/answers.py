"""What an endpoint answered, read by the same code that reads logs: text, tool calls, usage."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from llmmigrate.endpoints.exchange import Exchange
from llmmigrate.logs import bodies, streams
from llmmigrate.logs.draft import finish
from llmmigrate.shadow.pairs import Answer, Tokens, ToolCall
from llmmigrate.usage.call import Call

BYTES_A_TOKEN: Final = 4
"""For an answer without usage: about what English takes in current vocabularies. Always marked as estimated."""
ENDED: Final = frozenset({"empty", "content_filter"})
"""Failures of answers that came to their end."""
_REFUSALS: Final = frozenset({"refusal", "content_filter"})


def body_of(exchange: Exchange) -> dict[str, Any] | None:
    """The answer as one object, also where it came as a stream; None where there is none.

    An answer that came to its end without saying anything, or was held back, is one: its tokens are billed.
    """
    if exchange.failure is not None and exchange.failure not in ENDED:
        return None
    return exchange.body if exchange.body is not None else streams.fold(list(exchange.events))


def call_of(body: dict[str, Any], exchange: Exchange, *, prompt_bytes: int) -> Call:
    """An answer as a call of now, its usage estimated from the texts (`prompt_bytes` long) where it has none."""
    draft = bodies.draft_of(body, keep_text=True)
    call = finish(draft) if draft is not None else Call(usage="missing")
    last = exchange.last
    if last is not None:
        call = msgspec.structs.replace(call, start_ns=last.started_ns)
    if call.usage != "missing":
        return call
    return msgspec.structs.replace(
        call,
        usage="estimated",
        input_tokens=_tokens(prompt_bytes),
        output_tokens=_tokens(len((call.reply or "").encode()) + len(msgspec.json.encode(call.tool_calls or []))),
    )


def _tokens(size: int) -> int:
    return -(-size // BYTES_A_TOKEN)


def answer_of(call: Call, body: dict[str, Any] | None = None) -> Answer:
    """What was said, from a call that kept its text; `body` tells of refusals where it is at hand."""
    return Answer(
        text=call.reply or "",
        tool_calls=tool_calls(call.tool_calls or ()),
        finish_reason=call.finish_reason,
        refused=call.finish_reason in _REFUSALS or (body is not None and _says_refusal(body)),
    )


def tokens_of(call: Call) -> Tokens | None:
    """The usage of a call; None where it is missing."""
    if call.usage == "missing":
        return None
    return Tokens(
        input=call.input_tokens,
        output=call.output_tokens,
        cached_input=call.cached_input_tokens,
        reasoning=call.reasoning_tokens,
        estimated=call.usage == "estimated",
    )


def tool_calls(found: Iterable[Any]) -> tuple[ToolCall, ...]:
    """Tool calls of any dialect in one form."""
    return tuple(made for item in found if isinstance(item, Mapping) and (made := _tool_call(item)) is not None)


def _tool_call(item: Mapping[str, Any]) -> ToolCall | None:
    function = item.get("function")
    told = function if isinstance(function, Mapping) else item
    name = told.get("name")
    if not isinstance(name, str):
        return None
    arguments = told.get("arguments", told.get("input"))
    if isinstance(told.get("partial_json"), str):  # a streamed block: its input comes in pieces beside an empty object
        arguments = told["partial_json"]
    if not isinstance(arguments, str):
        arguments = msgspec.json.encode({} if arguments is None else arguments).decode()
    return ToolCall(name=name, arguments=arguments or "{}")


def _says_refusal(body: dict[str, Any]) -> bool:
    """Whether the vendor marked the answer as a refusal: in a chat message, or as a part of a Responses output."""
    for choice in _objects(body.get("choices")):
        message = choice.get("message")
        if isinstance(message, dict) and message.get("refusal"):
            return True
    parts = (part for item in _objects(body.get("output")) for part in _objects(item.get("content")))
    return any(part.get("type") == "refusal" for part in parts)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
