"""Closed periods stay as they were: a record of their digests beside the tables, and what differs from it.

A period is closed once another follows it, or once it has ended. `closed.json` in a directory of tables holds a digest
for each; whoever corrects the past on purpose removes its line there in the same change.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from llmmigrate.errors import Location, PriceTableError
from llmmigrate.prices.files import PriceFile
from llmmigrate.prices.periods import epoch
from llmmigrate.prices.tables import ModelSpec, PeriodSpec

RECORD: Final = "closed.json"
_DIGITS: Final = 16
"""Hexadecimal digits of a digest: slips are found, forgers have the history of the file to fear."""


class Stretch(NamedTuple):
    """A period: its name `provider/model@from`, its digest, where it stands in the file, and whether it is closed."""

    name: str
    digest: str
    model: int
    period: int
    closed: bool


def stretches(file: PriceFile, today: date) -> Iterator[Stretch]:
    """The periods of a table, in order of the file."""
    if file.table is None:
        return
    for number, model in enumerate(file.table.models):
        closed = _closed(model, today)
        for place, period in enumerate(model.periods):
            name = f"{file.table.provider}/{model.id}@{period.from_}"
            yield Stretch(name, digest(period), number, place, place in closed)


def digest(period: PeriodSpec) -> str:
    """What a period says, but for notes and comments: they may be corrected."""
    said = msgspec.to_builtins(msgspec.structs.replace(period, note=None))
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def read_record(directory: Path) -> dict[str, str] | None:
    """The record of a directory; None where it keeps none. PriceTableError for a broken one."""
    path = directory / RECORD
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except msgspec.DecodeError as error:
        raise PriceTableError(
            f"{path} is no record of closed periods", where=Location(str(path)), why=str(error)
        ) from None


def recorded(held: Mapping[str, str], periods: Iterable[Stretch]) -> bytes:
    """A record with what it holds and what is new; nothing in it is ever changed."""
    whole = {period.name: period.digest for period in periods if period.closed} | dict(held)
    return (json.dumps(whole, indent=0, sort_keys=True) + "\n").encode()


def removed(held: Mapping[str, str], providers: Iterable[str], periods: Iterable[Stretch]) -> list[str]:
    """Recorded periods of these providers that the tables do not have any more."""
    present = {period.name for period in periods}
    own = tuple(f"{provider}/" for provider in providers)
    return [name for name in held if name.startswith(own) and name not in present]


def _closed(model: ModelSpec, today: date) -> list[int]:
    order = sorted(range(len(model.periods)), key=lambda n: epoch(model.periods[n].from_))
    now = epoch(today.isoformat())
    last = order[-1:]
    return [n for n in order if n not in last or _has_ended(model.periods[n], now)]


def _has_ended(period: PeriodSpec, now: int) -> bool:
    return period.to is not None and epoch(period.to) <= now
