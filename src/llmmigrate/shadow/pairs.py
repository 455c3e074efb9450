"""The records that all of this room share: what is asked, what each side answered, and both together."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from llmmigrate.costing.audit.requests import Features, features_of
from llmmigrate.endpoints.exchange import Failure
from llmmigrate.units import Dialect

Kind = Literal["canary", "cost"]
"""Which sample a request belongs to: the uniform one for the gates, or the one weighted by tokens for the cost."""

NotAsked = Literal["incompatible", "interrupted"]
"""`incompatible`: the request cannot be put to this side at all. `interrupted`: an earlier start of the run broke off
while it was under way; it may have been paid, and is not sent again unless asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call of a tool that an answer asks for."""

    name: str
    arguments: str
    """As sent: JSON text, or text that was meant to be JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said."""

    text: str = ""
    """The visible answer."""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    refused: bool = False
    """The endpoint itself marked the answer as a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The usage of one answer, in the meaning of `usage.call.Call`."""

    input: int
    output: int
    cached_input: int = 0
    reasoning: int = 0
    estimated: bool = False
    """The endpoint sent no usage, and the counts were estimated from the text."""


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """One logged request that is to be replayed."""

    key: str
    """Identity: the request id, else a hash of the canonical body."""
    order: float
    """Its place in [0, 1), a hash of seed and key: the sample's rule and the order of evidence."""
    place: str
    """`file:line` of the log."""
    request: dict[str, Any]
    """The body as logged."""
    dialect: Dialect
    """The dialect that the body is written in."""
    logged: Answer | None
    """The answer that the log holds, when it does."""
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int | None = None
    """Part of the output, as logged; None where the log does not tell it apart."""
    session: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    @cached_property
    def features(self) -> Features:
        """What the request asks for, read once for both sides and all measures."""
        return features_of(self.request, self.dialect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One side's answer to one request, as measured."""

    answer: Answer | None
    """None when the request failed."""
    failure: Failure | NotAsked | None = None
    """After all attempts, or why nothing was asked."""
    first_failure: Failure | NotAsked | None = None
    """Of the first attempt: what the gate on errors counts."""
    detail: str | None = None
    parameter: str | None = None
    """Of the request, that the endpoint named when it refused a parameter."""
    attempts: int = 1
    latency_ms: float | None = None
    """Service time of the deciding attempt."""
    ttft_ms: float | None = None
    sent_ns: int | None = None
    """When the deciding attempt was sent, and when the first one had failed: nanoseconds since the Unix epoch, UTC."""
    failed_ns: int | None = None
    tokens: Tokens | None = None
    cost: Decimal | None = None
    """USD, at the rates in force when it was sent; None where it is not known."""
    altered: bool = False
    """Its texts are not as they came but redacted or hashed, as an earlier start has stored them."""
    served_model: str | None = None
    """The model that the endpoint says has answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A request and the answers of both sides."""

    asked: Sampled
    current: Arm
    target: Arm
    repeat: Arm | None = None
    """The current side asked a second time, on the part of the sample that measures its own noise."""
