"""All that is wrong with price files, with places: what `prices validate` shows and CI checks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from llmmigrate.errors import Location, PriceTableError
from llmmigrate.prices.diagnosis import Step, locate, location
from llmmigrate.prices.faults import gaps
from llmmigrate.prices.files import PriceFile, read_price_file, rule_errors
from llmmigrate.prices.nodes import read_nodes
from llmmigrate.prices.tables import TableSpec

STALE_AFTER_DAYS = 90


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to change (`error`) or to know (`note`)."""

    severity: Literal["error", "note"]
    where: Location
    what: str
    fix: str | None


def validate(paths: Sequence[Path], *, today: date) -> list[Problem]:
    """Everything wrong with the files: each alone, then names that two of them claim."""
    problems: list[Problem] = []
    files: list[PriceFile] = []
    for path in paths:
        try:
            files.append(read_price_file(path, check=False))
        except PriceTableError as error:
            problems.append(_error(error))
            continue
        problems += map(_error, rule_errors(files[-1]))
        problems += _notes(files[-1], today) if not problems else ()
    return [*problems, *_rival_names(files)]


def _error(error: PriceTableError) -> Problem:
    return Problem("error", error.where or Location(""), error.what, error.fix)


def _notes(file: PriceFile, today: date) -> Iterator[Problem]:
    if file.table is None:
        return
    for number, model in enumerate(file.table.models):
        for period, start, end in gaps(model):
            what = f"{model.id} has no price from {start} to {end}: such calls are unpriced"
            yield _note(file, ("models", number, "periods", period, "to"), what, "say why with `gap_after:`")
    yield from _stale(file, file.table, today)


def _stale(file: PriceFile, table: TableSpec, today: date) -> Iterator[Problem]:
    if table.checked is None:
        return
    age = (today - date.fromisoformat(table.checked[:10])).days
    if age > STALE_AFTER_DAYS:
        what = f"last compared with its sources {age} days ago"
        yield _note(file, ("checked",), what, "read the sources again, then set `checked:`")


def _rival_names(files: Iterable[PriceFile]) -> Iterator[Problem]:
    """Bare names that two makers claim: the first table wins, which is worth knowing."""
    owners: dict[str, str] = {}
    for file in files:
        table = file.table
        if table is None or not table.bare_names:
            continue
        for number, model in enumerate(table.models):
            for name in (model.id, *model.aliases):
                owner = owners.setdefault(name.casefold(), table.provider)
                if owner != table.provider:
                    what = f"'{name}' without a provider means {owner}, not {table.provider}"
                    yield _note(file, ("models", number, "id"), what, None)


def _note(file: PriceFile, steps: Sequence[Step], what: str, fix: str | None) -> Problem:
    data = Path(file.path).read_bytes()
    node = locate(read_nodes(Path(file.path), data), steps)
    return Problem("note", location(file.path, data, node), what, fix)
