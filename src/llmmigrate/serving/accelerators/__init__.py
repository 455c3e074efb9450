"""What accelerators this machine has: one module a vendor, found by its name.

A detector asks the vendor's library or command line tool and gives what it says; a field that cannot be read is None,
never 0. Parsers find a value by its column's name or its shape, never by a column's offset: vendors widen their tables.
"""

from typing import Protocol

import msgspec

MIB = 1 << 20


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One device that a process can be given: a card, a die of a card, or a slice of one. Memory in bytes."""

    platform: str
    """Who made it, as in `nvidia`, `ascend`; `cpu` for the host itself."""
    index: int | None
    """The vendor's own number; not always from 0."""
    name: str | None
    memory_bytes: int | None = None
    free_bytes: int | None = None
    driver: str | None = None
    uuid: str | None = None
    bus: str | None = None
    """PCI address, lower case."""
    architecture: str | None = None
    """What kernels are compiled for: `sm90`, `gfx942`; None where the tool does not say it."""
    unified_memory: bool = False
    """Whether the memory is the host's own."""
    slice_of: int | None = None
    """The index of the card that this is a slice of (MIG)."""
    hidden_by: str | None = None
    """The environment variable that keeps processes from it."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one detector found, and in plain words what went wrong."""

    devices: tuple[Device, ...] = ()
    problems: tuple[str, ...] = ()
    source: str | None = None
    """The library or tool that answered."""


class Detector(Protocol):
    """What a module of this room offers."""

    VISIBLE: tuple[str, ...]
    """Environment variables that hide devices, the one that counts first."""

    def detect(self) -> Found:
        """Ask the machine. No devices and no problems where the vendor's tool is not installed."""
        ...
