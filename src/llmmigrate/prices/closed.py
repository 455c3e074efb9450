"""Closed periods stay as they were: a record of their digests beside the tables, and what differs from it.

A period is closed once another follows it, or once it has ended. `closed.json` in a directory of tables holds for each
what it says, as a digest, and where it ends: a period that is put in behind it is enough to shorten it. Whoever
corrects the past on purpose removes its line there in the same change.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from llmmigrate.errors import Location, PriceTableError
from llmmigrate.prices.files import PriceFile
from llmmigrate.prices.periods import FOREVER, epoch
from llmmigrate.prices.tables import ModelSpec, PeriodSpec

RECORD: Final = "closed.json"
_DIGITS: Final = 16
"""Hexadecimal digits of a digest: slips are found, forgers have the history of the file to fear."""
_UNTIL: Final = " until "


class Kept(NamedTuple):
    """What the record has of a period: its digest, and where it ended; None of one that was recorded without that."""

    digest: str
    end: str | None

    def text(self) -> str:
        """As it stands in the record."""
        return self.digest + (f"{_UNTIL}{self.end}" if self.end else "")


Record = Mapping[str, Kept]
"""By the name of the period."""


class Stretch(NamedTuple):
    """A period: its name `provider/model@from`, its digest, its end, where it stands in the file, whether it is closed.

    The end is its `to` or the start of the next one, whichever comes first; None of one that lasts.
    """

    name: str
    digest: str
    end: str | None
    model: int
    period: int
    closed: bool


def stretches(file: PriceFile, today: date) -> Iterator[Stretch]:
    """The periods of a table, in order of the file."""
    if file.table is None:
        return
    for number, model in enumerate(file.table.models):
        ends, closed = _ends(model), _closed(model, today)
        for place, period in enumerate(model.periods):
            name = f"{file.table.provider}/{model.id}@{period.from_}"
            yield Stretch(name, digest(period), ends[place], number, place, place in closed)


def digest(period: PeriodSpec) -> str:
    """What a period says, but for notes and comments: they may be corrected."""
    said = msgspec.to_builtins(msgspec.structs.replace(period, note=None))
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def read_record(directory: Path) -> Record | None:
    """The record of a directory; None where it keeps none. PriceTableError for a broken one."""
    path = directory / RECORD
    if not path.is_file():
        return None
    try:
        return {name: _kept(text) for name, text in msgspec.json.decode(path.read_bytes(), type=dict[str, str]).items()}
    except (msgspec.DecodeError, ValueError) as error:
        raise PriceTableError(
            f"{path} is no record of closed periods", where=Location(str(path)), why=str(error)
        ) from None


def recorded(held: Record, periods: Iterable[Stretch], today: date) -> bytes:
    """A record with what it holds and what is new. What it holds stays, but for an end that is not reached yet."""
    whole = dict(held)
    for period in periods:
        known = whole.get(period.name)
        if known is None or (known.digest == period.digest and not is_other_past(known, period, today)):
            whole.pop(period.name, None)
            whole |= {period.name: Kept(period.digest, period.end)} if period.closed else {}
    texts = {name: kept.text() for name, kept in whole.items()}
    return (json.dumps(texts, indent=0, sort_keys=True) + "\n").encode()


def is_other_end(known: Kept, period: Stretch) -> bool:
    """Whether the period ends elsewhere than recorded, or is recorded without an end."""
    return _instant(known.end) != _instant(period.end)


def is_other_past(known: Kept, period: Stretch, today: date) -> bool:
    """Whether the period ends elsewhere than recorded, and calls may have been priced by that already."""
    first = min(_instant(known.end), _instant(period.end))
    return known.end is not None and is_other_end(known, period) and first <= epoch(today.isoformat())


def removed(held: Record, providers: Iterable[str], periods: Iterable[Stretch]) -> list[str]:
    """Recorded periods of these providers that the tables do not have any more."""
    present = {period.name for period in periods}
    own = tuple(f"{provider}/" for provider in providers)
    return [name for name in held if name.startswith(own) and name not in present]


def _kept(text: str) -> Kept:
    """ValueError for an end that is no day or instant."""
    said, _, end = text.partition(_UNTIL)
    _instant(end or None)
    return Kept(said, end or None)


def _instant(end: str | None) -> int:
    return FOREVER if end is None else epoch(end)


def _in_time(model: ModelSpec) -> list[int]:
    """The places of its periods in the file, in order of time."""
    return sorted(range(len(model.periods)), key=lambda place: epoch(model.periods[place].from_))


def _ends(model: ModelSpec) -> list[str | None]:
    """Where each period ends, in order of the file."""
    ends = [period.to for period in model.periods]
    for place, after in pairwise(_in_time(model)):
        start = model.periods[after].from_
        ends[place] = min(ends[place] or start, start, key=epoch)
    return ends


def _closed(model: ModelSpec, today: date) -> list[int]:
    order = _in_time(model)
    now = epoch(today.isoformat())
    last = order[-1:]
    return [n for n in order if n not in last or _has_ended(model.periods[n], now)]


def _has_ended(period: PeriodSpec, now: int) -> bool:
    return period.to is not None and epoch(period.to) <= now
