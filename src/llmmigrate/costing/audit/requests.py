"""What a logged request asks for, whichever of the three dialects it is written in.

Bodies come from logs: they may be partial or odd. What has not the expected shape is left out here and never raises;
whether a body can be sent is for `translate` to say.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from llmmigrate.costing.audit.values import first, flag, number, word, words
from llmmigrate.units import Dialect

Body = dict[str, Any]

_RESPONSES_KEYS: Final = frozenset(
    {"input", "instructions", "max_output_tokens", "previous_response_id", "conversation"}
)
_CHAT_KEYS: Final = frozenset(
    {
        "functions", "function_call", "response_format", "max_completion_tokens", "stop", "n", "seed", "logprobs",
        "frequency_penalty", "presence_penalty", "logit_bias", "parallel_tool_calls", "reasoning_effort",
        "stream_options",
    }
)  # fmt: skip
"""Keys that stand in OpenAI chat bodies only."""
_ANTHROPIC_KEYS: Final = frozenset({"system", "stop_sequences", "anthropic_version", "output_format", "output_config"})
"""Keys that stand in Anthropic bodies only."""
# Tuples: what is looked for comes from a log and may be a list, which no set can look for.
_ANTHROPIC_PARTS: Final = ("tool_use", "tool_result", "thinking", "redacted_thinking", "image", "document")
_AUDIO_PARTS: Final = ("input_audio", "audio")
_IMAGE_PARTS: Final = ("image_url", "input_image", "image")
_FILE_PARTS: Final = ("file", "input_file", "document")
_SYSTEM_ROLES: Final = ("system", "developer")
_ANTHROPIC_CHOICES: Final = {"any": "required"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFormat:
    """The form that an answer has to have."""

    kind: Literal["json_object", "json_schema"]
    schema: Mapping[str, Any] | None = None
    name: str | None = None
    strict: bool = False
    """The vendor is to hold the answer to the schema."""


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """What one request asks for. An absent parameter is None, an absent part empty."""

    dialect: Dialect
    model: str | None = None
    turns: int = 0
    """Messages and other items of the history, without the system's."""
    system: str | None = None
    """All instructions of the system and the developer, joined by empty lines."""
    late_system: bool = False
    """An instruction stands after the first turn."""
    tools: Mapping[str, Mapping[str, Any]] = msgspec.field(default_factory=dict)
    """Name → JSON Schema of the arguments; an empty schema where none is given."""
    strict_tools: bool = False
    """A tool's arguments are to be held to its schema."""
    hosted_tools: tuple[str, ...] = ()
    """Tools that the vendor runs itself, such as a web search, by type."""
    tool_choice: str | None = None
    """auto, none, required, or the name of one tool."""
    parallel_tools: bool | None = None
    tool_turns: int = 0
    """Tool calls and tool results in the history."""
    prefill: bool = False
    """The last turn is the assistant's: the model is to go on with it."""
    response_format: ResponseFormat | None = None
    images: int = 0
    audio: int = 0
    """Pieces of audio in the input, and 1 more where the answer is to be spoken."""
    files: int = 0
    stream: bool = False
    stream_usage: bool | None = None
    """Whether a stream is to end with its usage; None where the dialect always does or the request does not say."""
    n: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int | None = None
    verbosity: str | None = None
    """How long an answer is wished to be: low, medium, high."""
    reasoning_effort: str | None = None
    """As written: none, minimal, low, medium, high, …"""
    reasoning_budget: int | None = None
    """Tokens that the model may think."""
    reasoning: bool | None = None
    """Thinking is switched on or off; None where the request does not say."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_output_tokens: int | None = None
    metadata: bool = False
    stored_history: bool = False
    """A part of the history lies with the vendor and is named by an id only."""
    parameters: frozenset[str] = frozenset()
    """All top-level keys whose value is not null."""


def canonical_json(body: Mapping[str, Any]) -> bytes:
    """One spelling of a body, with sorted keys and no spaces: equal bodies have equal bytes, for hashing.

    The standard library's encoder, because it takes what logs hold: half a surrogate pair, a number of 30 digits.
    """
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def dialect_of(body: Mapping[str, Any]) -> Dialect | None:
    """The dialect that a body is written in; None for one of no known dialect, such as a legacy completion.

    A body that is the same in OpenAI chat and in Anthropic Messages counts as OpenAI chat.
    """
    messages = body.get("messages")
    if isinstance(messages, list):
        return "anthropic-messages" if _is_anthropic(body) else "openai-chat"
    if not _RESPONSES_KEYS.isdisjoint(body) and "contents" not in body:
        return "openai-responses"
    return None


def _is_anthropic(body: Mapping[str, Any]) -> bool:
    if not _CHAT_KEYS.isdisjoint(body):
        return False
    if not _ANTHROPIC_KEYS.isdisjoint(body):
        return True
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("auto", "any", "tool"):
        return True
    if any("input_schema" in tool for tool in objects(body.get("tools"))):
        return True
    turns = objects(body.get("messages"))
    if any(turn.get("role") in _SYSTEM_ROLES or turn.get("role") == "tool" or "tool_calls" in turn for turn in turns):
        return False
    return any(part.get("type") in _ANTHROPIC_PARTS for turn in turns for part in objects(turn.get("content")))


def features_of(body: Mapping[str, Any], dialect: Dialect) -> Features:
    """What a body of this dialect asks for; never raises, whatever the body holds."""
    if dialect == "openai-chat":
        return _of_chat(body)
    if dialect == "openai-responses":
        return _of_responses(body)
    return _of_anthropic(body)


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none of anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_of(content: Any) -> str | None:
    """The text of a message's content: a string, or the joined texts of its parts; None where there is none."""
    if isinstance(content, str):
        return content or None
    texts = [part["text"] for part in objects(content) if isinstance(part.get("text"), str)]
    return "".join(texts) or None


def whole(value: Any) -> int | None:
    """A whole number, however it is written; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _of_chat(body: Mapping[str, Any]) -> Features:
    turns = objects(body.get("messages"))
    tools = [function_of(tool) for tool in objects(body.get("tools"))] + objects(body.get("functions"))
    options = body.get("stream_options")
    modalities = body.get("modalities")
    speaks = isinstance(modalities, list) and "audio" in modalities
    budget, switched = _thinking(body.get("thinking"))
    searches = body.get("web_search_options")  # {} is the usual way to ask for it
    return Features(
        dialect="openai-chat",
        **_shared(body),
        **_parts(turns, speaks=speaks),
        **_system([text_of(turn.get("content")) for turn in turns if turn.get("role") in _SYSTEM_ROLES], turns),
        tools=_schemas(tools, "parameters"),
        strict_tools=any(tool.get("strict") is True for tool in tools),
        hosted_tools=_hosted(body, own=("function",)) + (() if searches is None else ("web_search",)),
        tool_choice=_choice(first(body, "tool_choice", "function_call")),
        parallel_tools=flag(body.get("parallel_tool_calls")),
        tool_turns=sum(_chat_tool_turns(turn) for turn in turns),
        response_format=_chat_format(body.get("response_format")),
        stream_usage=flag(options.get("include_usage")) if isinstance(options, dict) else None,
        n=whole(body.get("n")),
        stop=words(body.get("stop")),
        logprobs=body.get("logprobs") is True,
        top_logprobs=whole(body.get("top_logprobs")),
        verbosity=word(body.get("verbosity")),
        reasoning_effort=word(body.get("reasoning_effort")),
        reasoning_budget=budget,
        reasoning=switched,
        max_output_tokens=whole(first(body, "max_completion_tokens", "max_tokens")),
    )


def _of_responses(body: Mapping[str, Any]) -> Features:
    given = body.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else objects(given)
    tools = [tool for tool in objects(body.get("tools")) if tool.get("type") in (None, "function")]
    reasoning = body.get("reasoning")
    included = body.get("include")
    text = body.get("text")
    return Features(
        dialect="openai-responses",
        **_shared(body),
        **_parts(items),
        **_system(
            [text_of(body.get("instructions"))]
            + [text_of(item.get("content")) for item in items if item.get("role") in _SYSTEM_ROLES],
            items,
        ),
        tools=_schemas(tools, "parameters"),
        strict_tools=any(tool.get("strict") is True for tool in tools),
        hosted_tools=_hosted(body, own=("function",)),
        tool_choice=_choice(body.get("tool_choice")),
        parallel_tools=flag(body.get("parallel_tool_calls")),
        tool_turns=sum(item.get("type") in ("function_call", "function_call_output") for item in items),
        response_format=_responses_format(text),
        verbosity=word(text.get("verbosity")) if isinstance(text, dict) else None,
        top_logprobs=whole(body.get("top_logprobs")),
        logprobs=bool(whole(body.get("top_logprobs")))
        or (isinstance(included, list) and "message.output_text.logprobs" in included),
        reasoning_effort=word(reasoning.get("effort")) if isinstance(reasoning, dict) else None,
        max_output_tokens=whole(body.get("max_output_tokens")),
        stored_history=bool(first(body, "previous_response_id", "conversation", "prompt"))
        or any(item.get("type") == "item_reference" for item in items),
    )


def _of_anthropic(body: Mapping[str, Any]) -> Features:
    turns = objects(body.get("messages"))
    tools = [tool for tool in objects(body.get("tools")) if tool.get("type") in (None, "custom")]
    choice = body.get("tool_choice")
    alone = flag(choice.get("disable_parallel_tool_use")) if isinstance(choice, dict) else None
    config = body.get("output_config")
    budget, switched = _thinking(body.get("thinking"))
    return Features(
        dialect="anthropic-messages",
        **_shared(body),
        **_parts(turns),
        **_system([text_of(body.get("system"))], turns),
        tools=_schemas(tools, "input_schema"),
        strict_tools=any(tool.get("strict") is True for tool in tools),
        hosted_tools=_hosted(body, own=("custom",)),
        tool_choice=_choice(choice),
        parallel_tools=None if alone is None else not alone,
        tool_turns=sum(
            part.get("type") in ("tool_use", "tool_result") for turn in turns for part in objects(turn.get("content"))
        ),
        response_format=_anthropic_format(body),
        stop=words(body.get("stop_sequences")),
        reasoning_effort=word(config.get("effort")) if isinstance(config, dict) else None,
        reasoning_budget=budget,
        reasoning=switched,
        max_output_tokens=whole(body.get("max_tokens")),
    )


def _shared(body: Mapping[str, Any]) -> dict[str, Any]:
    """What all dialects call by the same names."""
    return {
        "model": word(body.get("model")),
        "stream": body.get("stream") is True,
        "seed": whole(body.get("seed")),
        "temperature": number(body.get("temperature")),
        "top_p": number(body.get("top_p")),
        "top_k": whole(body.get("top_k")),
        "metadata": bool(body.get("metadata")),
        "parameters": frozenset(key for key, value in body.items() if value is not None),
    }


def _parts(turns: list[dict[str, Any]], *, speaks: bool = False) -> dict[str, Any]:
    """Pictures, audio and files in the turns, those inside tool results included."""
    kinds = [part.get("type") for turn in turns for part in _deep_parts(turn)]
    return {
        "images": sum(kind in _IMAGE_PARTS for kind in kinds),
        "audio": sum(kind in _AUDIO_PARTS for kind in kinds) + speaks,
        "files": sum(kind in _FILE_PARTS for kind in kinds),
    }


def _deep_parts(turn: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for part in objects(turn.get("content")) + objects(turn.get("output")):
        yield part
        if part.get("type") == "tool_result":
            yield from objects(part.get("content"))


def _system(texts: list[str | None], turns: list[dict[str, Any]]) -> dict[str, Any]:
    roles = [turn.get("role") in _SYSTEM_ROLES for turn in turns]
    first = roles.index(False) if False in roles else len(roles)
    return {
        "system": "\n\n".join(text for text in texts if text) or None,
        "late_system": any(roles[first:]),
        "turns": roles.count(False),
        "prefill": bool(turns) and turns[-1].get("role") == "assistant" and not turns[-1].get("tool_calls"),
    }


def _schemas(tools: list[dict[str, Any]], key: str) -> dict[str, Mapping[str, Any]]:
    named = [(tool["name"], tool.get(key)) for tool in tools if isinstance(tool.get("name"), str)]
    return {name: schema if isinstance(schema, dict) else {} for name, schema in named}


def function_of(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool of OpenAI chat; some who copy it leave out the object around the function."""
    inner = tool.get("function")
    return inner if isinstance(inner, dict) else tool if tool.get("type") in (None, "function") else {}


def _hosted(body: Mapping[str, Any], *, own: tuple[str, ...]) -> tuple[str, ...]:
    kinds = (tool.get("type") for tool in objects(body.get("tools")))
    return tuple(dict.fromkeys(kind for kind in kinds if isinstance(kind, str) and kind not in own))


def _choice(choice: Any) -> str | None:
    """The choice of a tool in OpenAI's words: auto, none, required, or a tool's name."""
    if isinstance(choice, str):
        return choice
    if not isinstance(choice, dict):
        return None
    inner = choice.get("function")
    named = word(inner.get("name") if isinstance(inner, dict) else choice.get("name"))
    kind = word(choice.get("type"))
    return named or _ANTHROPIC_CHOICES.get(kind or "", kind)


def _chat_tool_turns(turn: Mapping[str, Any]) -> int:
    called = len(objects(turn.get("tool_calls"))) + isinstance(turn.get("function_call"), dict)
    return called + (turn.get("role") in ("tool", "function"))


def _chat_format(value: Any) -> ResponseFormat | None:
    if not isinstance(value, dict):
        return None
    inner = value.get("json_schema")
    return _format_of(value.get("type"), inner if isinstance(inner, dict) else {})


def _responses_format(value: Any) -> ResponseFormat | None:
    inner = value.get("format") if isinstance(value, dict) else None
    return _format_of(inner.get("type"), inner) if isinstance(inner, dict) else None


def _anthropic_format(body: Mapping[str, Any]) -> ResponseFormat | None:
    """Anthropic's `output_config.format`, or `output_format` as it was called before; it always holds the answer."""
    config = body.get("output_config")
    inner = config.get("format") if isinstance(config, dict) else None
    inner = inner if isinstance(inner, dict) else body.get("output_format")
    return _format_of(inner.get("type"), {**inner, "strict": True}) if isinstance(inner, dict) else None


def _format_of(kind: Any, inner: Mapping[str, Any]) -> ResponseFormat | None:
    if kind == "json_object":
        return ResponseFormat(kind="json_object")
    if kind != "json_schema":
        return None
    schema = inner.get("schema")
    return ResponseFormat(
        kind="json_schema",
        schema=schema if isinstance(schema, dict) else None,
        name=word(inner.get("name")),
        strict=inner.get("strict") is True,
    )


def _thinking(value: Any) -> tuple[int | None, bool | None]:
    """Budget and switch of a `thinking` object, as Anthropic, Z.ai and DeepSeek write it."""
    if not isinstance(value, dict):
        return None, None
    kind = value.get("type")
    switched = kind != "disabled" if isinstance(kind, str) else None
    return whole(value.get("budget_tokens")), switched
