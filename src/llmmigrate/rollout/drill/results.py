"""What a drill has measured: the JSON contract `llmmigrate.drill/1`. Unknown is null, never 0."""

from typing import Annotated

import msgspec

SCHEMA = "llmmigrate.drill/1"

Seconds = Annotated[float, msgspec.Meta(description="seconds")]
Milliseconds = Annotated[float, msgspec.Meta(description="milliseconds")]
PerSecond = Annotated[float, msgspec.Meta(description="requests a second")]
Part = Annotated[float, msgspec.Meta(description="a part of 1")]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all result records."""


class FaultResult(Record, frozen=True, kw_only=True):
    """What one fault of the target cost while the gateway split the traffic."""

    fault: str
    rate: PerSecond | None = None
    """How fast they were sent: the gateway's pace, or half of what it carried where that is less; null: not kept."""
    carried: PerSecond | None = None
    """Such requests answered a second, many at one time, just before; null: not looked for. A floor."""
    sent: int
    """Requests sent while the target was sick."""
    lost: int
    """Those of them without a whole answer."""
    lost_after: int
    """Requests lost after the target had got well."""
    failures: dict[str, int]
    """Why: HTTP status, cut, timeout or the kind of connection error."""
    target_hits: int | None
    """Requests that reached the sick target; null where they cannot be seen."""
    left_alone_s: Seconds | None
    """From the fault to the last attempt at the target before a gap; null: no such gap was seen."""
    back_s: Seconds | None
    """From the target's recovery to its first answer; null: not while it was watched."""
    watched_s: Seconds
    """How long it was watched for after its recovery."""
    p50_ms: Milliseconds | None
    p99_ms: Milliseconds | None
    declared: bool
    """Whether the findings of the gateway say that requests may be lost in this fault."""


class Share(Record, frozen=True, kw_only=True):
    """The target's part of healthy traffic, with its exact 95 % interval."""

    asked: Part
    requests: int
    target: int
    got: Part
    low: Part
    high: Part


class Latency(Record, frozen=True, kw_only=True):
    """What the gateway adds, against the same provider asked directly in alternation."""

    direct_p50_ms: Milliseconds
    added_p50_ms: Milliseconds
    added_p99_ms: Milliseconds
    requests: int


class Ceiling(Record, frozen=True, kw_only=True):
    """Answered requests a second, several at one time, and the same without the gateway: a floor of what it can."""

    through: float
    direct: float


class Flip(Record, frozen=True, kw_only=True):
    """All traffic taken from the target and given back, with streams under way."""

    requests: int
    lost: int
    streams: int
    streams_on_target: int
    broken: int
    last_target_hit_s: Seconds
    """From the order to the last request that the target still got."""
    command_s: Seconds
    back_on_target_s: Seconds | None


class Drill(Record, frozen=True, kw_only=True):
    """A rehearsal on the real gateway."""

    schema: str
    plan: str
    gateway: str
    version: str
    config_sha256: str
    quick: bool
    stood_in: dict[str, str]
    """What the rehearsal changed in the plan so that it takes minutes: setting → value."""
    rate: int
    share_in_faults: Part
    faults: list[FaultResult]
    share: Share | None
    latency: Latency | None
    ceiling: Ceiling | None
    flip: Flip | None
    wrong_model: int
    """Requests that reached a provider with another model name than the plan has for it."""
    wrong_model_declared: bool
    """Whether the findings say that names are not changed."""
    wrong_key: int
    """Requests that reached a provider with another key than its own."""
    seconds: Seconds
    """Of the whole rehearsal, starts of the gateway left out."""

    @property
    def passed(self) -> bool:
        """Whether nothing was lost but cut streams and what findings declare, and every request was rightly made.

        A fault in which the sick target was not tried has shown nothing: then it has not passed.
        """
        lost = any(fault.lost and fault.fault != "cut" and not fault.declared for fault in self.faults)
        broken = self.flip is not None and (self.flip.lost > 0 or self.flip.broken > 0)
        untried = any(fault.target_hits == 0 for fault in self.faults)
        return not (lost or broken or untried or (self.wrong_model and not self.wrong_model_declared) or self.wrong_key)
