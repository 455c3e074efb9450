"""Saved profiles as inputs: a subset of their tags, and the filters that their cells can still answer."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from llmmigrate.errors import UsageError
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.profile import CellKey, Profile, SketchKey

if TYPE_CHECKING:
    from llmmigrate.logs.reader import ReadOptions


def fitted(saved: Profile, options: "ReadOptions", path: str) -> Profile:
    """A saved profile with just the tags and calls that the options ask for.

    Raises UsageError where the profile was not cut finely enough: it is never answered roughly.
    """
    _check_calendar(saved, options, path)
    for name in (*options.tags, *(key.removeprefix("tag.") for key in options.where)):
        if name not in saved.tags and name not in CellKey._fields:
            raise _lacks(path, f"the tag {name}", f"--by tag.{name}")
    kept = _filtered(saved, options, path) if _filters(options) else saved
    return kept if kept.tags == options.tags else _with_tags(kept, options.tags)


def _filters(options: "ReadOptions") -> bool:
    return bool(options.where) or options.since_ns is not None or options.until_ns is not None


def _check_calendar(saved: Profile, options: "ReadOptions", path: str) -> None:
    if saved.marks.zone != options.marks.zone:
        raise _lacks(path, f"days of {options.marks.zone} (it has {saved.marks.zone})", f"--tz {options.marks.zone}")
    if options.marks.unit == "hour" and saved.marks.unit != "hour":
        raise _lacks(path, "hours", "--by hour")


def _lacks(path: str, what: str, option: str) -> UsageError:
    return UsageError(f"the saved profile {path} does not hold {what}", fix=f"ingest the log again with {option}")


def _filtered(saved: Profile, options: "ReadOptions", path: str) -> Profile:
    """The cells that the filters keep. Sketches follow where they can; sessions and load cannot and are dropped."""
    part = Profile(saved.marks, saved.tags)
    part.first_ns, part.last_ns = saved.first_ns, saved.last_ns
    part.accounting.merge(saved.accounting)
    in_time = {key: cell for key, cell in saved.cells.items() if _in_time(key, options, path)}
    part.cells = {key: cell for key, cell in in_time.items() if _has_values(key, saved.tags, options)}
    for sketch_key, sketches in saved.sketches.items():
        if options.since_ns is None and options.until_ns is None and _has_values(sketch_key, saved.tags, options):
            part.sketches[sketch_key] = sketches
    part.accounting.lines.filtered += saved.total_calls() - part.total_calls()
    if len(in_time) < len(saved.cells):
        _narrow(part, in_time)
    return part


def _narrow(part: Profile, in_time: Iterable[CellKey]) -> None:
    """Narrow the observed span to these cells."""
    starts = [key.start * NANOSECONDS for key in in_time if key.start is not None]
    ends = [key.end * NANOSECONDS for key in in_time if key.end is not None]
    if not starts or part.first_ns is None or part.last_ns is None:
        part.first_ns = part.last_ns = None
        return
    part.first_ns = max(part.first_ns, min(starts))
    part.last_ns = min(part.last_ns, max(ends))


def _has_values(key: CellKey | SketchKey, tags: tuple[str, ...], options: "ReadOptions") -> bool:
    return all(_value(key, tags, name) == wanted for name, wanted in options.where.items())


def _value(key: CellKey | SketchKey, tags: tuple[str, ...], name: str) -> str | None:
    if name in key._fields:
        value = getattr(key, name)
        return None if value is None else str(value)
    name = name.removeprefix("tag.")
    return key.tags[tags.index(name)] if name in tags else None


def _in_time(key: CellKey, options: "ReadOptions", path: str) -> bool:
    since, until = options.since_ns, options.until_ns
    if since is None and until is None:
        return True
    if key.start is None or key.end is None:
        return False
    start, end = key.start * NANOSECONDS, key.end * NANOSECONDS
    for mark, option in ((since, "--since"), (until, "--until")):
        if mark is not None and start < mark < end:
            raise _lacks(path, f"a cut at {option}", option)
    return (since is None or start >= since) and (until is None or end <= until)


def _with_tags(saved: Profile, tags: tuple[str, ...]) -> Profile:
    """The same profile with a subset of its tags; cells that then share a key are added."""
    places = [saved.tags.index(name) for name in tags]
    part = Profile(saved.marks, tags)
    part.sessions, part.load = saved.sessions, saved.load
    part.first_ns, part.last_ns, part.accounting = saved.first_ns, saved.last_ns, saved.accounting
    for key, cell in saved.cells.items():
        part.cell(key._replace(tags=tuple(key.tags[i] for i in places))).merge(cell)
    for sketch_key, sketches in saved.sketches.items():
        part.sketch(sketch_key._replace(tags=tuple(sketch_key.tags[i] for i in places))).merge(sketches)
    return part
