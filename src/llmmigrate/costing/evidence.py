"""What audits, shadow runs and drills have found, as far as a decision needs it, from the files that they wrote."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

from llmmigrate.costing.records import Record
from llmmigrate.errors import InputError, Location, UsageError

AUDIT: Final = "llmmigrate.audit/1"
VERDICT: Final = "llmmigrate.verdict/1"
DRILL: Final = "llmmigrate.drill/1"
PLACE: Final = ".llmmigrate"
Kind = Literal["difference", "share", "ratio", "ms"]
"""Of a gate's figures: target minus current, the target's share, the target over the current side, or milliseconds."""
LARGEST: Final = 16 << 20
"""Bytes; a larger file is none of these."""


class Named(msgspec.Struct, frozen=True):
    """One side of a shadow run."""

    name: str


class Gate(Record, frozen=True, kw_only=True):
    """One gate of a shadow run: what was measured, its interval and its limit.

    Shares and scores are parts of 1; `kind` tells of what the figures are.
    """

    key: str
    limit: str
    kind: Kind
    limit_value: float
    result: str
    estimate: float | None
    low: float | None
    high: float | None
    current: float | None
    target: float | None
    pairs: int
    words: str


class Verdict(msgspec.Struct, frozen=True):
    """A shadow run's answer."""

    verdict: str
    words: str
    ended: str
    exploratory: bool
    pairs: int
    current: Named
    target: Named
    gates: list[Gate]


class Part(msgspec.Struct, frozen=True):
    """Calls, and their share of what was spent."""

    calls: int
    spend_share: float | None


class Verdicts(msgspec.Struct, frozen=True):
    """An audit's calls, each once."""

    ok: Part
    translated: Part
    unknown: Part
    refused: Part
    in_part: Part
    not_audited: Part

    @property
    def read(self) -> int:
        """Calls whose request is in the log: those that can be replayed."""
        return self.ok.calls + self.translated.calls + self.unknown.calls + self.refused.calls


class AuditedTarget(msgspec.Struct, frozen=True):
    """What one target can serve."""

    to: str
    verdicts: Verdicts


class Audit(msgspec.Struct, frozen=True):
    """An audit of a log."""

    at: str
    targets: list[AuditedTarget]


class Fault(msgspec.Struct, frozen=True):
    """A fault of the target in a drill."""

    fault: str
    sent: int
    lost: int
    declared: bool
    target_hits: int | None = None
    """Requests that reached the sick target; None where they cannot be seen."""


class Flip(msgspec.Struct, frozen=True):
    """All traffic taken back at once."""

    lost: int
    broken: int


class Drill(msgspec.Struct, frozen=True):
    """A rehearsal of the way there and back."""

    plan: str
    gateway: str
    faults: list[Fault]
    flip: Flip | None
    wrong_model: int
    wrong_key: int
    wrong_model_declared: bool = False
    """Whether the gateway's findings say that names are not changed."""


class Found(NamedTuple):
    """A result and the file that it stands in."""

    path: str
    result: Audit | Verdict | Drill


class Objections(NamedTuple):
    """What saved results say against targets: target → why."""

    audited: Mapping[str, str]
    """An audit refuses some call; which part of the traffic that is, it does not say."""
    failed: Mapping[str, str]
    """A shadow run against it failed, and no later one passed."""


NO_OBJECTIONS: Final = Objections({}, {})


class Evidence(msgspec.Struct, frozen=True):
    """What is known of one target; None was not measured."""

    audit: tuple[str, AuditedTarget] | None = None
    verdict: tuple[str, Verdict] | None = None
    drill: tuple[str, Drill] | None = None


_KINDS: Final[dict[str, type[Audit] | type[Verdict] | type[Drill]]] = {AUDIT: Audit, VERDICT: Verdict, DRILL: Drill}


def read(path: Path) -> Found:
    """The result in a file that was named; InputError where it is none."""
    found = _decode(path)
    if found is None:
        known = ", ".join(sorted(_KINDS))
        raise InputError(
            "no result of an audit, a shadow run or a drill", where=Location(str(path)), why=f"not {known}"
        )
    return found


def find(root: Path) -> list[Found]:
    """All such results under `.llmmigrate`; files of other kinds are passed over."""
    return list(_found(sorted((root / PLACE).rglob("*.json"))))


def _found(paths: Iterable[Path]) -> Iterator[Found]:
    for path in paths:
        if path.is_file() and path.stat().st_size <= LARGEST:
            try:
                found = _decode(path)
            except InputError:
                continue
            if found is not None:
                yield found


def _decode(path: Path) -> Found | None:
    """None for a document of another kind; InputError for one that cannot be read."""
    try:
        document: Any = msgspec.json.decode(path.read_bytes())
        kind = _KINDS.get(str(document.get("schema"))) if isinstance(document, dict) else None
        return None if kind is None else Found(str(path), msgspec.convert(document, kind))
    except OSError as error:
        raise InputError(f"cannot read {path}", why=error.strerror) from None
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise InputError("cannot be read as a result", where=Location(str(path)), why=str(error)) from None


def about(target: str, sources: Iterable[str], given: Iterable[Found], found: Iterable[Found]) -> Evidence:
    """The latest results about a target and the models that move there; given ones win over found ones.

    UsageError for a given result about other models.
    """
    names = set(sources)
    given = list(given)
    for item in given:
        if not _is_about(item, target, names):
            fix = "give a result about these models, or leave it out"
            raise UsageError(f"{item.path} is about other models than {', '.join(sorted(names))} and {target}", fix=fix)
    fitting = [item for item in found if _is_about(item, target, names)]
    audit, verdict, drill = (_latest(kind, given) or _latest(kind, fitting) for kind in (Audit, Verdict, Drill))
    return Evidence(
        audit=None if audit is None else (audit.path, _target_of(audit.result, target)),
        verdict=None if verdict is None else (verdict.path, verdict.result),  # type: ignore[arg-type]
        drill=None if drill is None else (drill.path, drill.result),  # type: ignore[arg-type]
    )


def objections(found: Iterable[Found]) -> Objections:
    """What the latest audit and the latest shadow runs say against targets."""
    latest: dict[tuple[str, ...], Found] = {}
    for item in sorted(found, key=lambda item: (_time(item.result), item.path)):
        match item.result:
            case Audit(targets=targets):
                latest |= {("audit", entry.to): item for entry in targets}
            case Verdict(current=current, target=target):
                latest["verdict", current.name, target.name] = item
    audited: dict[str, str] = {}
    failed: dict[str, str] = {}
    for (*_, name), item in latest.items():
        if isinstance(item.result, Audit):
            audited |= _refused(item.result, name, item.path)
        elif isinstance(item.result, Verdict) and item.result.verdict == "FAIL":
            failed[name] = f"the shadow run against {item.result.current.name} ended FAIL ({item.path})"
    return Objections(audited, failed)


def _refused(audit: Audit, target: str, path: str) -> dict[str, str]:
    calls = _target_of(audit, target).verdicts.refused.calls
    return {target: f"an audit refuses {calls:,} {'call' if calls == 1 else 'calls'} ({path})"} if calls else {}


def _is_about(item: Found, target: str, sources: set[str]) -> bool:
    match item.result:
        case Audit(targets=targets):
            return any(entry.to == target for entry in targets)
        case Verdict(current=current, target=theirs):
            return theirs.name == target and current.name in sources
    return True


def _latest(kind: type, items: Iterable[Found]) -> Found | None:
    fitting = [item for item in items if isinstance(item.result, kind)]
    return max(fitting, key=lambda item: (_time(item.result), item.path), default=None)


def _time(result: Audit | Verdict | Drill) -> str:
    return result.at if isinstance(result, Audit) else result.ended if isinstance(result, Verdict) else ""


def _target_of(result: object, target: str) -> AuditedTarget:
    assert isinstance(result, Audit)
    return next(entry for entry in result.targets if entry.to == target)
