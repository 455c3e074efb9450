"""All that is wrong with price files, with places: what `prices validate` shows and CI checks."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import chain, pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from llmmigrate.errors import Location, PriceTableError
from llmmigrate.prices import compiled
from llmmigrate.prices.closed import (
    RECORD,
    Record,
    Stretch,
    is_other_end,
    is_other_past,
    read_record,
    recorded,
    removed,
    stretches,
)
from llmmigrate.prices.diagnosis import Step, locate, location
from llmmigrate.prices.faults import JUMP, SLIP, gaps, is_jump, is_rate
from llmmigrate.prices.files import PriceFile, read_price_file, rule_errors
from llmmigrate.prices.loading import bundled_directory, search_order
from llmmigrate.prices.nodes import read_nodes
from llmmigrate.prices.periods import epoch
from llmmigrate.prices.tables import ModelSpec, TableSpec
from llmmigrate.units import TokenClass

STALE_AFTER_DAYS = 90


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to change (`error`) or to know (`note`)."""

    severity: Literal["error", "note"]
    where: Location
    what: str
    fix: str | None


class Kind(NamedTuple):
    """What a rate is of, whoever asks it: a model without who sells it, a currency, a token class."""

    model: str
    currency: str
    name: TokenClass


def validate(paths: Sequence[Path], *, today: date, beside: Sequence[Path] = ()) -> list[Problem]:
    """Everything wrong with the files: each alone, then names that two of them claim.

    `beside` are the tables that the files are used with. The files are held against them; they are not checked
    themselves.
    """
    problems: list[Problem] = []
    files: list[PriceFile] = []
    for path in paths:
        try:
            files.append(read_price_file(path, check=False))
        except PriceTableError as error:
            problems.append(_error(error))
            continue
        errors = [_error(error) for error in rule_errors(files[-1])]
        problems += errors or [*_disorder(files[-1]), *_notes(files[-1], today)]
    sound = [file for file in files if not any(rule_errors(file))]
    known = _readable(beside, apart_from=paths)
    rivals = (*_rival_prefixes(known, files), *_rival_names(known, files))
    return [*problems, *rivals, *_other_units(known, sound), *_edited(sound, today)]


def record_closed(paths: Sequence[Path], *, today: date) -> dict[Path, bytes]:
    """The records of closed periods that the files' directories should have: path → content."""
    found: dict[Path, list[Stretch]] = {}
    for path in paths:
        file = read_price_file(path)
        found.setdefault(path.parent, []).extend(stretches(file, today))
    held = {place: read_record(place) or {} for place in found}
    return {place / RECORD: recorded(held[place], periods, today) for place, periods in found.items() if periods}


def _edited(files: Sequence[PriceFile], today: date) -> Iterator[Problem]:
    """Closed periods that are not as the record of their directory has them."""
    for directory in sorted({Path(file.path).parent for file in files}):
        record = read_record(directory)
        own = [file for file in files if Path(file.path).parent == directory and file.table is not None]
        if record is None:
            continue
        periods = [(file, period) for file in own for period in stretches(file, today)]
        for file, period in periods:
            yield from _against(record, file, period, today)
        providers = [file.table.provider for file in own if file.table is not None]
        for name in removed(record, providers, [period for _, period in periods]):
            what = f"the closed period {name} is not there any more: old calls would have no price"
            yield Problem("error", Location(str(directory / RECORD)), what, "write it again as it was")


def _against(record: Record, file: PriceFile, period: Stretch, today: date) -> Iterator[Problem]:
    steps: Sequence[Step] = ("models", period.model, "periods", period.period)
    known = record.get(period.name)
    renew = "llmmigrate prices validate --record"
    fix = f"append a new period instead, or remove its line from {RECORD} if the past is corrected on purpose"
    if known is None:
        if period.closed:
            yield _note(file, steps, f"the closed period {period.name} is in no record", renew)
    elif known.digest != period.digest:
        what = f"the closed period {period.name} was edited: old calls would cost something else"
        yield replace(_note(file, steps, what, fix), severity="error")
    elif is_other_past(known, period, today):
        ends = f"ends on {period.end}" if period.end else "has no end any more"
        what = f"the closed period {period.name} {ends}, recorded is {known.end}: old calls would cost something else"
        yield replace(_note(file, steps, what, fix), severity="error")
    elif is_other_end(known, period):
        yield _note(file, steps, f"the record has another end of {period.name}: {known.end or 'none'}", renew)


def _error(error: PriceTableError) -> Problem:
    return Problem("error", error.where or Location(""), error.what, error.fix)


def _disorder(file: PriceFile) -> Iterator[Problem]:
    """Periods that stand behind later ones: what is appended is newer than all before it, so the past was changed."""
    for number, model in enumerate(file.table.models if file.table else ()):
        for place, (before, after) in enumerate(pairwise(model.periods), start=1):
            if epoch(after.from_) < epoch(before.from_):
                what = f"the period from {after.from_} stands behind a later one, from {before.from_}"
                fix = "put periods in order of time; a new price goes to the end"
                steps = ("models", number, "periods", place, "from")
                yield replace(_note(file, steps, what, fix), severity="error")


def _notes(file: PriceFile, today: date) -> Iterator[Problem]:
    if file.table is None:
        return
    for number, model in enumerate(file.table.models):
        for period, start, end in gaps(model):
            what = f"{model.id} has no price from {start} to {end}: such calls are unpriced"
            yield _note(file, ("models", number, "periods", period, "to"), what, "say why with `gap_after:`")
        yield from _dead_names(file, number, model, today)
    yield from _stale(file, file.table, today)


def _dead_names(file: PriceFile, number: int, model: ModelSpec, today: date) -> Iterator[Problem]:
    """Further names of a model that has no price any more: calls logged under them are unpriced from then on."""
    end = max(model.periods, key=lambda period: epoch(period.from_)).to if model.periods else None
    if model.aliases and end and epoch(end) <= epoch(today.isoformat()):
        what = f"the name '{model.aliases[0]}' leads to {model.id}, which has had no price since {end}"
        yield _note(
            file, ("models", number, "aliases"), what, "move it to the model that answers to it now, or append a period"
        )


def _stale(file: PriceFile, table: TableSpec, today: date) -> Iterator[Problem]:
    if table.checked is None:
        return
    age = (today - date.fromisoformat(table.checked[:10])).days
    if age > STALE_AFTER_DAYS:
        what = f"last compared with its sources {age} days ago"
        yield _note(file, ("checked",), what, "read the sources again, then set `checked:`")


def _readable(paths: Sequence[Path], *, apart_from: Sequence[Path]) -> list[PriceFile]:
    """The files that others are held against; what is wrong with them is said where they are checked themselves."""
    ready = compiled.read(bundled_directory())
    named = {path.resolve() for path in apart_from}
    files = []
    for path in paths:
        if path.resolve() in named:
            continue
        with contextlib.suppress(PriceTableError):
            files.append(read_price_file(path, check=False, compiled=ready.get(path.name)))
    return files


def _rival_prefixes(known: Sequence[PriceFile], files: Sequence[PriceFile]) -> Iterator[Problem]:
    """Names of providers that two tables claim: calls would be billed by whichever was read last."""
    owners: dict[str, str] = {}
    for number, file in enumerate((*known, *files)):
        table = file.table
        for prefix in (*table.prefixes, table.provider) if table else ():
            owner = owners.setdefault(prefix.casefold(), table.provider if table else "")
            if table and owner != table.provider and number >= len(known):
                what = f"the prefix '{prefix}' of {table.provider} is already one of {owner}"
                fix = "a prefix leads to one provider: remove one of the two"
                yield replace(_note(file, ("prefixes",), what, fix), severity="error")


def _rival_names(known: Sequence[PriceFile], files: Sequence[PriceFile]) -> Iterator[Problem]:
    """Bare names that two makers claim: the first table wins, which is worth knowing."""
    owners: dict[str, str] = {}
    for number, file in enumerate((*known, *files)):
        table = file.table
        if table is None or not table.bare_names:
            continue
        for place, model in enumerate(table.models):
            for name in (model.id, *model.aliases):
                owner = owners.setdefault(name.casefold(), table.provider)
                if owner != table.provider and number >= len(known):
                    first, second = sorted((owner, table.provider), key=search_order)
                    what = f"'{name}' without a provider means {first}, not {second}"
                    yield _note(file, ("models", place, "id"), what, None)


def _other_units(known: Sequence[PriceFile], files: Sequence[PriceFile]) -> Iterator[Problem]:
    """Rates that are far from all that the other tables ask for a model of that name, in the same currency."""
    asked: dict[Kind, list[Decimal]] = {}
    for _, kind, rate in chain.from_iterable(map(_own_rates, known)):
        asked.setdefault(kind, []).append(rate)
    for file in files:
        for steps, kind, rate in _own_rates(file):
            others = asked.get(kind, [])
            if others and all(is_jump(rate, other) for other in others):
                what = f"{kind.name}: {rate:f} is a change by {JUMP} times or more from what other tables ask"
                yield replace(_note(file, steps, what, SLIP), severity="error")


def _own_rates(file: PriceFile) -> Iterator[tuple[Sequence[Step], Kind, Decimal]]:
    """The rates of a file's periods, tiers and rows apart: where, of what, and how much."""
    if file.table is None:
        return
    for number, model in enumerate(file.table.models):
        bare = model.id.rpartition("/")[2].casefold()
        for place, period in enumerate(model.periods):
            for name, rate in filter(lambda item: is_rate(item[1]), period.per_mtok.items()):
                steps = ("models", number, "periods", place, "per_mtok", name)
                yield steps, Kind(bare, file.table.currency, name), rate


def _note(file: PriceFile, steps: Sequence[Step], what: str, fix: str | None) -> Problem:
    data = Path(file.path).read_bytes()
    node = locate(read_nodes(Path(file.path), data), steps)
    return Problem("note", location(file.path, data, node), what, fix)
