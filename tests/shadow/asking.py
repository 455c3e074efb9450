"""Requests and answers for tests, written shortly."""

from decimal import Decimal
from typing import Any

from llmmigrate.costing.audit.requests import features_of
from llmmigrate.shadow.measures import Asked
from llmmigrate.shadow.pairs import Answer, Arm, Pair, Sampled, Tokens, ToolCall

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "clock"}},
]


def request(**changes: Any) -> dict[str, Any]:
    return {"model": "o3", "messages": [{"role": "user", "content": "What is up?"}], **changes}


def schema_format(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def asked(**changes: Any) -> Asked:
    body = request(**changes)
    return Asked(request=body, features=features_of(body, "openai-chat"))


def says(text: str = "", *calls: tuple[str, str], refused: bool = False) -> Answer:
    return Answer(text=text, tool_calls=tuple(ToolCall(name=n, arguments=a) for n, a in calls), refused=refused)


def arm(answer: Answer | str | None, **changes: Any) -> Arm:
    said = says(answer) if isinstance(answer, str) else answer
    measured = {
        "latency_ms": 400.0,
        "ttft_ms": 90.0,
        "tokens": Tokens(input=20, output=7, reasoning=3),
        "cost": Decimal("0.0001"),
    }
    return Arm(answer=said, **{**measured, **changes})


def failed(failure: Any, latency: float | None = None) -> Arm:
    return arm(None, failure=failure, first_failure=failure, latency_ms=latency, ttft_ms=None)


def pair(
    current: Answer | str | Arm | None,
    target: Answer | str | Arm | None,
    *,
    repeat: str | None = None,
    logged: str | None = None,
    key: str = "r1",
    **changes: Any,
) -> Pair:
    return Pair(
        asked=Sampled(
            key=key,
            order=0.5,
            place="logs.jsonl:1",
            request=request(**changes),
            dialect="openai-chat",
            logged=None if logged is None else says(logged),
            input_tokens=20,
            output_tokens=7,
        ),
        current=current if isinstance(current, Arm) else arm(current),
        target=target if isinstance(target, Arm) else arm(target),
        repeat=None if repeat is None else arm(repeat),
    )
