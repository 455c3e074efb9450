"""From one provider to another in steps, and back: a plan, files for a gateway, a rehearsal, a watch.

A gateway is one file in `rollout/gateways/`, found by its name; `Gateway` is what it offers. We write configuration for
gateways that people already run, and no gateway.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol, get_args

from llmmigrate.rollout.plan import Plan

ROOM: Final = "rollout.gateways"

Status = Literal["exact", "approximate", "manual", "unsupported"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
"""How well a gateway does what a plan asks for, best first."""


Timed = Literal["first_byte", "whole_answer"]
"""What of an attempt a gateway takes the time of: to the first byte of the answer, or to its end."""

MODEL: Final = "model"
"""Stands among the faults of a finding for requests with the callers' model name."""


class Finding(NamedTuple):
    """How well a gateway does one thing that a plan asks for, and why not better."""

    requirement: str
    status: Status
    message: str
    asked_by: str | None = None
    """The setting of the plan that asks for it; None: none does, but it is good to know."""
    faults: tuple[str, ...] = ()
    """Faults of the drill in which requests may be lost because of it, or `MODEL`."""

    @property
    def unmet(self) -> bool:
        """Whether the plan asks for something that is not done."""
        return self.asked_by is not None and self.status in ("manual", "unsupported")


class Program(NamedTuple):
    """How a gateway's program is found, started and asked for its version."""

    name: str
    arguments: Sequence[str]
    """Of a start in the foreground, in the directory of its files."""
    version: Sequence[str]
    validate: Sequence[str]
    """Of its own check of the files; exit code 0 is yes. Empty: it has none."""
    install: str
    as_root: Sequence[str] = ()
    """More arguments of a start by root."""
    placing: Sequence[str] = ()
    """Options that take the host and the port to listen on, where the files do not say them."""

    def place(self, listen: str) -> list[str]:
        """The arguments that say where to listen."""
        parts = listen.rsplit(":", 1)
        return [word for pair in zip(self.placing, parts, strict=False) for word in pair]


class Pace(NamedTuple):
    """How a gateway is drilled."""

    rate: int = 30
    """Requests a second, as many as it can surely carry."""
    stream_rate: int = 15
    """The same of streamed answers."""
    share: Decimal = Decimal("0.1")
    """The target's part while it is sick."""
    stream_share: Decimal = Decimal("0.1")
    """The same of streamed answers."""
    lanes: int = 16
    """Requests at one time when its ceiling is looked for."""
    streams: int = 40
    """Streams under way while the stage changes."""
    piece_seconds: float = 0.03
    """Between two pieces of a stream."""
    flips: bool = True
    """Whether it takes up another stage while it runs."""
    boots_quickly: bool = True
    """Whether it is started anew for each fault, so that no fault inherits the state of the one before."""
    eject_for: Decimal = Decimal(10)
    """Seconds of an ejection in a drill; fewer where waiting for its end would make the drill too long."""


class Counts(NamedTuple):
    """Attempts at the target since the gateway began to count; what clients see of them is another matter."""

    attempts: int
    errors: int
    """Failed ones: 5xx, 401, 403, 408, 429, no answer in time, refused or cut off."""
    timed: int
    """Attempts whose time to the first byte is known, time-outs among them."""
    slow: int
    """Those of them that took longer than the plan's limit; 0 where it has none."""
    ejections: int
    """How often the gateway has begun to leave the target alone."""
    ejected: bool | None = False
    """Whether it does so now; None: nothing tells."""


Reader = Callable[[], Counts]
"""Asks a gateway for its counts. GatewayError where it does not answer."""


class Uptake(NamedTuple):
    """Whether a running gateway has taken up a stage file that was replaced."""

    confirmed: bool | None
    """By the gateway itself; False: it has another stage in force. None: it does not tell, or does not answer."""
    words: str


Confirming = Callable[[], Uptake]
"""Asks a gateway after the change, for a few seconds at most. GatewayError, code `refused`, where it refuses it."""


class Gateway(Protocol):
    """What a module of `rollout/gateways` offers."""

    STAGE_FILE: str
    """The one file that a change of stage writes anew; replacing it is atomic."""
    TAKE_UP: str
    """What follows in the shell after the stage file was replaced by hand, or nothing; `{share}` is the stage's share
    in parts of 10,000."""
    PROGRAM: Program | None
    """None: nothing to start here."""

    CALLER_KEY: str | None
    """The variable with the key that callers have to send; None: it asks for none."""
    PACE: Pace
    TIMES: Timed | None
    """None: it takes no times."""

    def files(self, plan: Plan, share: Decimal) -> Mapping[str, str]:
        """All files by name for a target's share of 0 to 1. Only `STAGE_FILE` differs from share to share."""
        ...

    def findings(self, plan: Plan) -> Sequence[Finding]:
        """How well each thing that the plan asks for is done."""
        ...

    def reload(self, plan: Plan, directory: Path) -> str | None:
        """Let a running gateway take up the stage file in its directory; what is left for a person to do, if anything.

        GatewayError where it refuses the file (code `refused`), does not run (`not_running`) or cannot be told.
        """
        ...

    def confirming(self, plan: Plan, directory: Path) -> Confirming:
        """What asks whether the stage file is in force; made before the file is replaced."""
        ...

    def reader(self, plan: Plan, directory: Path) -> Reader:
        """What asks the gateway for its counts."""
        ...
