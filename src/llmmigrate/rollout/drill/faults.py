"""What can befall a provider, and the traffic that shows what it costs."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from llmmigrate.errors import unknown_name


class Fault(NamedTuple):
    """One way to fall sick."""

    name: str
    about: str
    sickness: str
    seconds: float = 7.0
    stream_pieces: int = 0
    padding: int = 0
    rate: int | None = None
    """Requests a second; None: the gateway's pace."""
    burst: int = 1
    """Requests sent at one time."""
    share: Decimal | None = None
    """The target's share of the requests; None: the gateway's pace."""
    quick: bool = False
    """Whether it belongs to the quick drill."""
    seen: bool = True
    """Whether a sick target sees the requests that reach it."""


_ALL: Final = (
    Fault("500", "every request fails with 500", "500", quick=True),
    Fault("refused", "connections are refused", "refused", quick=True, seen=False),
    Fault("hang", "no answer at all", "hang", quick=True),
    Fault("slow", "3 s before the first byte", "slow"),
    Fault("429", "every request fails with 429", "429"),
    Fault("401", "every request fails with 401: the key was revoked", "401"),
    Fault("cut", "streams end after five pieces", "cut", seconds=15.0, stream_pieces=12, rate=15, quick=True),
    Fault("big", "500 for prompts of 2 MB", "500", padding=2_000_000, rate=2, share=Decimal("0.5")),
    Fault("burst", "500 for 20 requests at one time", "500", rate=20, burst=20, share=Decimal("0.5"), quick=True),
    Fault("flap", "well and sick in turn, a second each", "flap"),
    Fault("dns", "the target's name does not resolve", "dns", seconds=4.0, seen=False),
)
FAULTS: Final[Mapping[str, Fault]] = {fault.name: fault for fault in _ALL}


def chosen(names: list[str], *, quick: bool) -> list[Fault]:
    """The faults of a drill: those named, else all or the quick ones. UnknownNameError for an unknown name."""
    for name in names:
        if name not in FAULTS:
            raise unknown_name("fault", name, FAULTS)
    if names:
        return [FAULTS[name] for name in names]
    return [fault for fault in _ALL if fault.quick or not quick]
