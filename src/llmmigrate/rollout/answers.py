"""What `rollout watch --serve` answers: `/verdict` as JSON and `/metrics` as Prometheus text.

The state on disk is asked each time: a rollback by anybody, and one from before this watch was started, shows at once.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from llmmigrate.errors import ConfigError
from llmmigrate.rollout.plan import BACK
from llmmigrate.rollout.records import Lock, Pending, State
from llmmigrate.rollout.state import Place
from llmmigrate.rollout.windows import Window


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the watch knows: what `watch.json` keeps."""

    schema: str
    plan: str
    at: str
    verdict: str
    """good, breach, inconclusive, due (a rollback that was not made), rolled_back or locked."""
    reasons: list[str]
    streak: int
    straight: int
    window: Window | None


class Answer(Report, frozen=True, kw_only=True):
    """A report as `/verdict` shows it: with the stage in force, and `rolled_back` for as long as that holds."""

    stage: str | None
    """None: no stage is in force, or that cannot be read."""
    since: str | None
    lock: Lock | None


def answer(empty: Report, latest: Report | None, place: Place) -> Answer:
    """What is so now. `empty` is the report of a watch that has seen nothing.

    A rollback that is due comes first, then one that was made; then the last window, if it ended in the stage in force.
    """
    try:
        state = place.state()
    except ConfigError as error:
        return _answer(msgspec.structs.replace(empty, reasons=[error.what]), None)
    if state is None:
        return _answer(latest or empty, None)
    if latest is not None and latest.verdict == "due" and _open(state):
        return _answer(latest, state)
    fresh = latest if latest is not None and latest.at >= state.since else None
    if state.pending is not None and (state.lock is not None or state.stage is None):
        return _answer(_unfinished(fresh or empty, state.lock, state.pending), state)
    if state.lock is not None or state.stage == BACK:
        at, reason = (state.lock.at, state.lock.reason) if state.lock else (state.since, f"stage {BACK} is in force")
        return _answer(msgspec.structs.replace(fresh or empty, verdict="rolled_back", at=at, reasons=[reason]), state)
    return _answer(fresh or empty, state)


def _unfinished(report: Report, lock: Lock | None, pending: Pending) -> Report:
    """A rollback that was begun is due; otherwise nobody knows which stage was judged."""
    verdict = "due" if lock is not None else "inconclusive"
    reasons = [lock.reason, pending.words] if lock is not None else [pending.words]
    return msgspec.structs.replace(report, verdict=verdict, reasons=reasons)


def metrics(found: Answer, windows: Mapping[str, int]) -> str:
    """Prometheus text. `windows` is the number of windows of this run by verdict."""
    lines = ["# TYPE llmmigrate_windows_total counter"]
    lines += [f'llmmigrate_windows_total{{verdict="{name}"}} {count}' for name, count in sorted(windows.items())]
    for name, value in _gauges(found).items():
        lines += [f"# TYPE llmmigrate_{name} gauge", f"llmmigrate_{name} {value}"]
    return "\n".join([*lines, *_states(found)]) + "\n"


def _gauges(found: Answer) -> dict[str, Any]:
    window = found.window
    gauges: dict[str, Any] = {
        "streak": found.streak,
        "rolled_back": int(found.verdict == "rolled_back"),
        "rollback_due": int(found.verdict == "due"),
        "locked": int(found.lock is not None),
    }
    if found.lock is not None:
        gauges["locked_since_seconds"] = int(datetime.fromisoformat(found.lock.at).timestamp())
    if window is not None:
        gauges |= {"window_attempts": window.attempts, "window_errors": window.errors, "window_slow": window.slow}
    return gauges


def _states(found: Answer) -> Iterator[str]:
    """Words, as labels of a gauge that is 1."""
    if found.stage is not None:
        yield "# TYPE llmmigrate_stage_info gauge"
        yield f'llmmigrate_stage_info{{stage="{_label(found.stage)}"}} 1'
    if found.lock is not None:
        yield "# TYPE llmmigrate_lock_info gauge"
        yield f'llmmigrate_lock_info{{by="{_label(found.lock.by)}",reason="{_label(found.lock.reason)}"}} 1'


def _open(state: State) -> bool:
    """Whether a rollback that is due is still to be made, or to be finished where the watch began it."""
    return state.stage != BACK or state.pending is not None


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _answer(report: Report, state: State | None) -> Answer:
    stage, since, lock = (state.stage, state.since, state.lock) if state is not None else (None, None, None)
    return Answer(**msgspec.structs.asdict(report), stage=stage, since=since, lock=lock)
