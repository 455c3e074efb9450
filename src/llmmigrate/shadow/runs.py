"""Where a run lies on the disk, what it was asked to do, and whether it may go on.

A run is a folder `.llmmigrate/runs/<UTC minute>`: plan.json, journal.jsonl, and in the end verdict.json,
calibration.json, summary.md and comparison.html.
"""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from llmmigrate.errors import InputError, UsageError, nearest
from llmmigrate.shadow.storing import Store

RUNS: Final = Path(".llmmigrate/runs")
PLAN: Final = "plan.json"
JOURNAL: Final = "journal.jsonl"
SCHEMA: Final = "llmmigrate.run/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run was asked to do: everything that decides which requests are sent, and how they are judged."""

    logs: tuple[str, ...]
    where: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    tz: str | None = None
    provider: str | None = None
    log_format: str | None = None
    current: str
    target: str
    current_url: str | None = None
    target_url: str | None = None
    """Where the sides are asked; None for logged answers."""
    embeddings: str | None = None
    """Who gives the vectors of answers, as `provider/model`."""
    canary: str
    """As a decimal fraction."""
    seed: int
    unit: Literal["request", "session"] = "request"
    baseline: Literal["fresh", "logged"] = "fresh"
    gates: tuple[str, ...] = ()
    """All gates in force, as `key limit`."""
    gate_flags: tuple[str, ...] = ()
    """Those of the command line, as typed."""
    measures: tuple[str, ...] = ()
    """Further measures, as typed."""
    store: Store = "redacted"
    cost_draws: int = 0
    max_output_tokens: int | None = None
    max_cost: str | None = None
    max_tokens_total: str | None = None
    aliases: tuple[str, ...] = ()
    """Caps and aliases of the command line, as typed."""
    sample: str = ""
    """SHA-256 of the keys of the sample: the logs still give the same one."""


_MAY_DIFFER: Final = frozenset({"logs", "aliases", "max_cost", "max_tokens_total"})
"""What another start may write differently: the sample's digest tells whether the same calls were read, and a cap
changes no evidence."""


def new_run(root: Path, now: int, plan: Plan) -> Path:
    """Make the folder of a new run and write its plan; `now` in epoch seconds names it."""
    name = datetime.fromtimestamp(now, tz=UTC).strftime("%Y-%m-%dT%H-%MZ")
    for number in range(1, 1000):
        folder = root / RUNS / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        document = {"schema": SCHEMA, **msgspec.to_builtins(plan)}
        (folder / PLAN).write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        return folder
    raise UsageError(f"there are 999 runs named {name} already", fix=f"remove some of {root / RUNS}")


def find_run(root: Path, name: str) -> Path:
    """The folder of a run by its name or path. UsageError, with the nearest name, where there is none."""
    for folder in (root / RUNS / name, Path(name)):
        if (folder / PLAN).is_file():
            return folder
    known = sorted(place.parent.name for place in (root / RUNS).glob(f"*/{PLAN}"))
    near = nearest(name, known, limit=1) or known[-1:]
    fix = (
        f"did you mean {near[0]}?"
        if near
        else f"runs lie in {RUNS} of the directory where they were started; none is here"
    )
    raise UsageError(f"no such run: {name}", fix=fix)


def load_plan(folder: Path) -> Plan:
    """The plan of a run."""
    path = folder / PLAN
    try:
        document: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        if document.pop("schema", None) != SCHEMA:
            raise InputError(f"{path} was written by another version", fix="start a new run")
        return msgspec.convert(document, Plan)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InputError(f"{path} cannot be read", why=str(error)) from None


def check_same(before: Plan, now: Plan) -> None:
    """UsageError, naming every difference, unless a run may go on under this plan."""
    names = [item.name for item in dataclasses.fields(Plan) if item.name not in _MAY_DIFFER]
    changed = [name for name in names if getattr(before, name) != getattr(now, name)]
    if changed:
        told = "; ".join(_difference(name, getattr(before, name), getattr(now, name)) for name in changed)
        raise UsageError(
            f"the run was planned otherwise: {told}",
            why="evidence that was gathered under one plan cannot be judged under another",
            fix="leave out the options that differ, or start a new run",
        )


def _difference(name: str, before: object, now: object) -> str:
    if name == "sample":
        return "the logs no longer give the same requests"
    return f"{name.replace('_', ' ')} was {_shown(before)} and is now {_shown(now)}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
