"""Baselines: a profile that is committed, with its commit, date, and what its calls cost by the price tables of then.

The file is a saved profile that every command reads, written one cell a line so that a change of it can be read.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from llmmigrate.costing.results import Money, Record
from llmmigrate.errors import InputError, UsageError
from llmmigrate.prices.cards import Interval
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry
from llmmigrate.usage import store
from llmmigrate.usage.cuts import DAY
from llmmigrate.usage.profile import CellKey, Profile, SizeSketches

GIT: Final = "git:"
_GZIP: Final = b"\x1f\x8b"
_SECONDS: Final = 60
"""How long git may take to show a file."""


class RecordedCost(Record, frozen=True, kw_only=True):
    """What the calls of one model and service tier cost when the baseline was made."""

    provider: str | None
    model: str | None
    service_tier: str
    calls: int
    cost: Money


class Header(Record, frozen=True, kw_only=True):
    """What a baseline says beside its profile."""

    created: str
    commit: str | None
    currency: str
    tables: dict[str, str]
    """Price table → its SHA-256 then."""
    costs: list[RecordedCost]


class _HeaderFile(msgspec.Struct):
    baseline: Header | None = None


class Baseline(msgspec.Struct, frozen=True):
    """A baseline as it was read."""

    profile: Profile
    header: Header | None
    name: str
    """Where it came from, as it was named."""


def read_baseline(name: str, *, currency: str = "USD") -> Baseline:
    """The baseline in a file, or in a file of a git revision (`git:REF:PATH`).

    UsageError where there is none, InputError where it is none.
    """
    data = _from_git(name) if name.startswith(GIT) else _from_file(name)
    if data.startswith(_GZIP):
        data = _unzipped(data, name)
    if not data.startswith(store.SIGNATURE):
        fix = f"name another with --baseline, or remove it and {again(name)}"
        raise InputError(f"{name} is no saved profile", fix=fix)
    profile = store.load(data, name, again=again(name))
    header = _header(data, name)
    if header is not None and header.currency != currency:
        raise UsageError(f"the baseline {name} is in {header.currency}, not in {currency}", fix=again(name))
    if not profile.total_calls():
        raise InputError(f"the baseline {name} holds no call", fix=again(name))
    return Baseline(profile, header, name)


def written(profile: Profile, header: Header) -> bytes:
    """The bytes of a baseline: one cell, session bucket or list a line, the same for the same profile."""
    document = msgspec.to_builtins(store.document_of(profile))
    schema = msgspec.json.encode(document.pop("schema")).decode()
    parts = [f'{{"schema":{schema}', f'"baseline":{_lines(msgspec.to_builtins(header))}']
    parts += [f'"{name}":{(_groups if name == "cells" else _lines)(value)}' for name, value in document.items()]
    return (",\n".join(parts) + "}\n").encode()


def reduced(profile: Profile, catalog: Catalog) -> Profile:
    """The profile without what no check asks for, and cut no finer than its own prices need.

    Every profile is cut at the clocks of all price tables. Where no price of a day hangs on the hour, the day is one
    interval; latencies, input sizes and the load are left out.
    """
    small = Profile(profile.marks, profile.tags)
    small.first_ns, small.last_ns = profile.first_ns, profile.last_ns
    small.accounting, small.sessions = profile.accounting, profile.sessions
    for key, cell in profile.cells.items():
        small.cell(_whole_day(key, catalog) if profile.marks.zone == "UTC" else key).merge(cell)
    for sketch_key, sketches in profile.sketches.items():
        small.sketch(sketch_key._replace(unit=None)).merge(SizeSketches(output_tokens=sketches.output_tokens))
    return small


def _whole_day(key: CellKey, catalog: Catalog) -> CellKey:
    entry = catalog.find(key.provider, key.model)
    if key.start is None or not isinstance(entry, Entry):
        return key
    day = Interval(key.start // DAY * DAY, key.start // DAY * DAY + DAY)
    inside = [p for p in entry.periods if p.start < day.end and day.start < p.end]
    if any(p.clocks for p in inside) or any(day.start < e < day.end for p in inside for e in (p.start, p.end)):
        return key
    return key._replace(start=day.start, end=day.end)


def commit_of(directory: Path, environment: Mapping[str, str]) -> str | None:
    """The commit that is checked out, None outside of git."""
    try:
        found = _git(["rev-parse", "HEAD"], directory)
    except (OSError, subprocess.SubprocessError):
        return environment.get("GITHUB_SHA") or environment.get("CI_COMMIT_SHA")
    return found.stdout.decode().strip() if found.returncode == 0 else environment.get("GITHUB_SHA")


def _from_file(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        raise UsageError(f"no baseline at {name}", fix=again(name)) from None
    except OSError as error:
        raise UsageError(f"cannot read the baseline {name}", why=error.strerror) from None


def _from_git(name: str) -> bytes:
    reference, sign, path = name.removeprefix(GIT).partition(":")
    if not sign or not reference or not path or reference.startswith("-"):
        raise UsageError(f"'{name}' is no git:REF:PATH", fix="write git:origin/main:.llmmigrate/baseline.profile.json")
    try:
        shown = _git(["show", "--end-of-options", f"{reference}:{path}"], Path.cwd())
        known = shown.returncode == 0 or _git(
            ["rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}"], Path.cwd()
        )
    except OSError:
        raise UsageError("git is not installed here", fix="name the baseline as a file") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"git did not answer within {_SECONDS} seconds", fix="name the baseline as a file") from None
    if shown.returncode == 0:
        return shown.stdout
    if b"not a git repository" in shown.stderr.lower():
        raise UsageError(f"'{name}': this is no git repository", fix="run it in one, or name the baseline as a file")
    if known is not True and known.returncode != 0:
        fix = f"fetch it first: git fetch origin {reference.removeprefix('origin/')} (actions/checkout: fetch-depth: 0)"
        raise UsageError(f"git knows no revision '{reference}' here", fix=fix)
    fix = f"create one there: llmmigrate check LOGS --baseline {path} --update-baseline, then commit {path}"
    raise UsageError(f"no baseline at {path} in {reference}", fix=fix)


def _plain_words() -> dict[str, str]:
    """The environment with git's messages in English, so that one of them can be told from others."""
    return {**os.environ, "LC_ALL": "C"}


def _git(arguments: Sequence[str], directory: Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        ["git", *arguments], cwd=directory, capture_output=True, timeout=_SECONDS, check=False, env=_plain_words()
    )


def _unzipped(data: bytes, name: str) -> bytes:
    import gzip

    try:
        return gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise InputError(f"the baseline {name} is damaged", why=str(error), fix=again(name)) from error


def is_baseline(path: Path) -> bool:
    """Whether a file is a saved profile, plain or compressed, by how it begins; an empty one may become one."""
    with path.open("rb") as stream:
        head = stream.read(len(store.SIGNATURE))
    return not head or head == store.SIGNATURE or head.startswith(_GZIP)


def _header(data: bytes, name: str) -> Header | None:
    try:
        header = msgspec.json.decode(data, type=_HeaderFile).baseline
        if header is not None:
            datetime.fromisoformat(header.created)
            if not all(Decimal(cost.cost) >= 0 for cost in header.costs):
                raise ValueError("a cost is below 0, or no number")
    except (ValueError, ArithmeticError) as error:  # msgspec's ValidationError is a ValueError
        raise InputError(f"the baseline {name} is damaged", why=str(error), fix=again(name)) from error
    return header


def again(name: str) -> str:
    """How a baseline is made, by its name."""
    where = name.removeprefix(GIT).partition(":")[2] if name.startswith(GIT) else name
    return f"create one: llmmigrate check LOGS --baseline {where} --update-baseline"


def _lines(value: Any) -> str:
    """JSON with one entry of a list a line, so that a change shows as the lines that changed."""
    if isinstance(value, list) and value and isinstance(value[0], (list, tuple, dict)):
        return "[\n" + ",\n".join(msgspec.json.encode(entry).decode() for entry in value) + "\n]"
    if isinstance(value, dict) and any(isinstance(entry, list) for entry in value.values()):
        inner = (f"{msgspec.json.encode(name).decode()}:{_lines(entry)}" for name, entry in value.items())
        return "{" + ",".join(inner) + "}"
    return msgspec.json.encode(value).decode()


def _groups(groups: list[Any]) -> str:
    """Groups of cells with one cell a line."""
    return "[" + ",\n".join(f"[{msgspec.json.encode(key).decode()},{_lines(cells)}]" for key, cells in groups) + "]"
