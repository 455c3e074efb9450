"""The records of this room: an endpoint, and one request to it with everything that was measured."""

from dataclasses import dataclass, field
from typing import Any, Literal

from llmmigrate.units import Dialect

Failure = Literal[
    "auth",
    "quota",
    "rate_limit",
    "unsupported_parameter",
    "context_length",
    "content_filter",
    "not_found",
    "bad_request",
    "server",
    "timeout_connect",
    "timeout_first_token",
    "timeout_read",
    "timeout_total",
    "connection",
    "disconnected",
    "truncated_stream",
    "malformed",
    "empty",
    "breaker",
    "ours",
]
"""Why a request failed, one word each; `docs/failures.md` says what each means and which are tried again.

`breaker`: not sent, because the endpoint failed too often in a row. `ours`: a fault of this program or this machine
(no network at all, no file handles), never counted against an endpoint.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait, in seconds."""

    connect: float = 10.0
    first_token: float = 120.0
    """From the end of the request until the first event that holds content or reasoning."""
    read: float = 60.0
    """Between two events of a stream."""
    total: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A model where it is served."""

    provider: str
    model: str
    """As the endpoint names it; goes into the request."""
    base_url: str
    dialect: Dialect
    key: str | None = field(default=None, repr=False)
    """The secret itself, taken from the environment; never stored, printed or logged."""
    key_env: str | None = None
    """The name of the variable that the key comes from, for messages."""
    rpm: int | None = None
    """Requests a minute; None has no limit of ours."""
    tpm: int | None = None
    """Tokens a minute, prompt and reply."""
    concurrency: int = 16
    timeouts: Timeouts = Timeouts()

    @property
    def name(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.model}"

    @property
    def account(self) -> tuple[str, str]:
        """What limits are of: all models of one provider at one address share them."""
        return self.provider, self.base_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One time that a request was sent."""

    started_ns: int
    """Nanoseconds since the Unix epoch, UTC, by the client's `Clock`, which never goes back."""
    latency_ms: float
    """From sending until the answer's end or the failure: service time, without our own waiting."""
    ttft_ms: float | None = None
    """Until the first event with content or reasoning; the opening event that only names a role does not count."""
    status: int | None = None
    failure: Failure | None = None
    detail: str | None = None
    """What the endpoint said, shortened, without anything that looks like a key."""
    retry_after: float | None = None
    """Seconds that the endpoint asked to wait."""

    @property
    def ended_ns(self) -> int:
        """When the answer had ended, or the failure was seen: nanoseconds since the Unix epoch, UTC."""
        return self.started_ns + round(self.latency_ms * 1e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came of it, all attempts together."""

    attempts: tuple[Attempt, ...]
    """In order; at least one, but for the failures `breaker` and `ours`, where nothing may have been sent."""
    body: dict[str, Any] | None = None
    """The answer of the last attempt as the endpoint sent it in one piece; None for a stream or a failure."""
    events: tuple[dict[str, Any], ...] = ()
    """The events of a stream, in order; of a stream that was cut, those that came."""
    failure: Failure | None = None
    """Why there is no whole answer, after all attempts; None for success."""
    detail: str | None = None
    parameter: str | None = None
    """The one that the endpoint named when it refused a parameter."""
    lag_ms: float = 0.0
    """How long the request waited for our own limits and schedule before it was first sent."""

    @property
    def last(self) -> Attempt | None:
        """The attempt that decided."""
        return self.attempts[-1] if self.attempts else None

    @property
    def first_failure(self) -> Failure | None:
        """Why the first attempt failed; what a gate on errors counts."""
        return self.attempts[0].failure if self.attempts else self.failure
