"""What became of every record slot: nothing vanishes.

`total == calls + blank + rejected + duplicates + other`, always.
"""

from typing import Final

import msgspec

FIRST_PLACES: Final = 5
"""How many places of a reject or warning are kept; its count is always whole."""


class Lines(msgspec.Struct):
    """Record slots by what became of them. `filtered` are calls that --where, --since or --until left out."""

    total: int = 0
    calls: int = 0
    blank: int = 0
    rejected: int = 0
    duplicates: int = 0
    other: int = 0
    filtered: int = 0

    def merge(self, more: "Lines") -> None:
        """Add the counts of another."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(more, name))

    def add_up(self) -> bool:
        """Whether the identity holds."""
        return self.total == self.calls + self.blank + self.rejected + self.duplicates + self.other


class Tally(msgspec.Struct):
    """A count and the first places, as `file:line`."""

    count: int = 0
    first: list[str] = msgspec.field(default_factory=list)

    def add(self, place: str | None, count: int = 1) -> None:
        """Count one more, at a place."""
        self.count += count
        if place is not None and len(self.first) < FIRST_PLACES:
            self.first.append(place)

    def merge(self, more: "Tally") -> None:
        """Add another tally, its places after these."""
        self.count += more.count
        self.first = (self.first + more.first)[:FIRST_PLACES]


class Source(msgspec.Struct):
    """One input: raw size and hash, and how many records each format gave."""

    path: str
    bytes: int
    sha256: str
    formats: dict[str, int] = msgspec.field(default_factory=dict)


class Accounting(msgspec.Struct):
    """Sources, lines, rejects by reason and warnings by code."""

    sources: list[Source] = msgspec.field(default_factory=list)
    lines: Lines = msgspec.field(default_factory=Lines)
    rejects: dict[str, Tally] = msgspec.field(default_factory=dict)
    warnings: dict[str, Tally] = msgspec.field(default_factory=dict)

    def reject(self, reason: str, place: str | None) -> None:
        """Account for a rejected slot."""
        self.lines.total += 1
        self.lines.rejected += 1
        self.rejects.setdefault(reason, Tally()).add(place)

    def warn(self, code: str, place: str | None, count: int = 1) -> None:
        """Count a warning."""
        self.warnings.setdefault(code, Tally()).add(place, count)

    def merge(self, more: "Accounting") -> None:
        """Add another accounting."""
        self.sources = self.sources + more.sources
        self.lines.merge(more.lines)
        _merge_tallies(self.rejects, more.rejects)
        _merge_tallies(self.warnings, more.warnings)


def _merge_tallies(into: dict[str, Tally], more: dict[str, Tally]) -> None:
    for name, tally in more.items():
        into.setdefault(name, Tally()).merge(tally)
