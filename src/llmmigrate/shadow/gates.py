"""The gates of a comparison: what is demanded of the target, and each pair's part in the answer.

Every gate is turned into the mean of a figure D in [-1, 1], the larger the worse, and demands that this mean lies below
`bound`. The settings say `errors: "<= +1pt"`; the test asks whether the mean of (target failed) − (current failed) is
below 0.01. See docs/shadow-statistics.md.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from llmmigrate.errors import UsageError, nearest
from llmmigrate.quantities import Limit, limit
from llmmigrate.shadow.pairs import Arm, Pair
from llmmigrate.shadow.scoring import Score, Sides

Subject = Literal["errors", "latency", "ttft", "validity", "agreement"]

DEFAULTS: Final[Mapping[str, str]] = {
    "errors": "<= +1pt",
    "latency_p95": "<= 1.2x",
    "schema_validity": ">= -1pt",
    "tool_validity": ">= -1pt",
    "agreement": ">= -5pt",
}
"""What is demanded where the settings demand nothing."""
OFF: Final = "off"
"""`--gate KEY=off` leaves a gate out."""

_TIME: Final = re.compile(r"(latency|ttft)_p([1-9][0-9]?(?:\.[0-9])?)", re.ASCII)
_TIMES: Final = ("latency_p50", "latency_p95", "latency_p99", "ttft_p50", "ttft_p95", "ttft_p99")
_FEWEST_PILOTS: Final = 100
_PILOTS_BEYOND: Final = 5
_NO_EVIDENCE: Final = frozenset({"incompatible", "interrupted", "ours"})
_OPEN: Final = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One demand on the target."""

    key: str
    """As in the settings; for a validity and an agreement the name of the measure."""
    subject: Subject
    limit: Limit
    """As written."""
    bound: float
    """What the mean of D must lie below."""
    quantile: float | None = None
    """Of a time: which quantile is limited."""
    most: float | None = None
    """Of a time: the allowed factor to the current side's quantile, or the allowed milliseconds."""
    asked: bool = False
    """Demanded by the user, and not only by default."""

    @property
    def comparative(self) -> bool:
        """Whether the target is held against the current side, and not against a fixed figure."""
        return self.limit.change

    @property
    def lowest(self) -> float:
        """The least that D can be."""
        return -1.0 if self.comparative else 0.0

    @property
    def pilot(self) -> int:
        """How many of the first pairs only serve to find the current side's quantile, which then stays fixed."""
        if not self.comparative or self.quantile is None:
            return 0
        return max(_FEWEST_PILOTS, math.ceil(_PILOTS_BEYOND / (1 - self.quantile) - 1e-9))

    def __str__(self) -> str:
        return f"{self.key} {self.limit}"


def gates_of(
    settings: Mapping[str, Limit], flags: Iterable[str], measures: Mapping[str, str], demanded: Mapping[str, int] = {}
) -> tuple[Gate, ...]:
    """The gates in force: those of the settings, or the defaults where there are none, changed by `KEY=LIMIT` flags.

    `measures` gives the kind of each measure that there is (figure, validity, agreement). A default gate is left out
    where `demanded` says that its measure applies to none of the sampled requests.

    Raises UsageError for an unknown key, for a limit that does not fit its key, and when nothing is left.
    """
    written = {key: _asked(key, value, measures) for key, value in settings.items()}
    gates = written or {
        key: parse(key, limit(text), measures)
        for key, text in DEFAULTS.items()
        if (_is_general(key) or key in measures) and demanded.get(key) != 0
    }
    for flag in flags:
        key, _, text = flag.partition("=")
        key = key.strip()
        if text.strip() != OFF:
            gates[key] = _asked(key, _limit(flag, text), measures)
        elif gates.pop(key, None) is None:
            raise UsageError(f"there is no gate '{key}' to leave out", fix=f"the gates are: {', '.join(gates)}")
    if not gates:
        raise UsageError("no gate is left, so there is nothing to decide", fix="--gate errors='<= +1pt'")
    return tuple(gates.values())


def _is_general(key: str) -> bool:
    return key == "errors" or _TIME.fullmatch(key) is not None


def _asked(key: str, value: Limit, measures: Mapping[str, str]) -> Gate:
    return parse(key, value, measures, asked=True)


def _limit(flag: str, text: str) -> Limit:
    try:
        return limit(text)
    except ValueError as error:
        fix = "write --gate errors='<= +1pt', or --gate errors=off"
        raise UsageError(f"--gate {flag} does not say what is allowed", why=str(error), fix=fix) from error


def parse(key: str, value: Limit, measures: Mapping[str, str], *, asked: bool = False) -> Gate:
    """The gate that a key and its limit mean; `measures` gives the kind of each measure that there is.

    Raises UsageError for an unknown key or a limit that does not fit it.
    """
    time = _TIME.fullmatch(key)
    if time is not None:
        subject: Subject = "latency" if time[1] == "latency" else "ttft"
        return _time_gate(key, value, subject, float(Decimal(time[2]) / 100), asked)
    if key == "errors":
        return Gate(key=key, subject="errors", limit=value, bound=_share_bound(key, value, "<"), asked=asked)
    kind = measures.get(key)
    if kind == "validity":
        return Gate(key=key, subject="validity", limit=value, bound=_share_bound(key, value, ">"), asked=asked)
    if kind == "agreement":
        return Gate(key=key, subject="agreement", limit=value, bound=_share_bound(key, value, ">"), asked=asked)
    raise _unknown(key, measures)


def _unknown(key: str, measures: Mapping[str, str]) -> UsageError:
    if key in measures:
        return UsageError(
            f"'{key}' cannot be a gate",
            why="it is a figure without bounds, of which no number of pairs makes sure; it is shown beside the verdict",
            fix="limit a quantile of a time, such as latency_p95, a validity or an agreement",
        )
    known = ["errors", *_TIMES, *sorted(name for name, kind in measures.items() if kind != "figure")]
    near = nearest(key, known)
    fix = f"did you mean '{near[0]}'?" if near else f"choose one of: {', '.join(known)}"
    return UsageError(f"unknown gate '{key}'", fix=fix)


def _share_bound(key: str, value: Limit, direction: Literal["<", ">"]) -> float:
    """What D must stay below: for a share that must not grow (errors), or not shrink (validity, agreement)."""
    example = f"{direction}= {'+' if direction == '<' else '-'}1pt"
    fixed = f"{direction} {'1%' if direction == '<' else '99%'}"
    fix = f'write "{example}" against the current side, or "{fixed}" for the target alone'
    sign = 1 if direction == "<" else -1
    if not value.comparison.startswith(direction):
        raise UsageError(f'the gate {key} cannot be "{value}"', why=f"it limits {_SIDES[direction]}", fix=fix)
    if value.change and value.unit == "pt":
        bound = sign * value.value / 100
    elif not value.change and value.unit == "%":
        bound = value.value / 100 if direction == "<" else 1 - value.value / 100
    else:
        raise UsageError(f'the gate {key} cannot be "{value}"', why="its unit or its sign does not fit", fix=fix)
    if not (-1 if value.change else 0) < bound < 1:
        raise UsageError(f'the gate {key} cannot be "{value}"', why="no number of pairs could decide it", fix=fix)
    return float(bound)


_SIDES: Final = {"<": "how much there may be at most", ">": "how much there must be at least"}


def _time_gate(key: str, value: Limit, subject: Subject, quantile: float, asked: bool) -> Gate:
    factor = _factor(value)
    if not value.comparison.startswith("<") or factor is None or factor <= 0:
        fix = 'write "<= 1.2x" against the current side, or "< 200ms" for the target alone'
        raise UsageError(f'the gate {key} cannot be "{value}"', fix=fix)
    bound = 0.0 if value.change else 1 - quantile
    most = float(factor)
    return Gate(key=key, subject=subject, limit=value, bound=bound, quantile=quantile, most=most, asked=asked)


def _factor(value: Limit) -> Decimal | None:
    """A factor to the current side's time, or milliseconds; None where the limit is neither."""
    if value.change:
        return {"x": value.value, "%": 1 + value.value / 100}.get(value.unit)
    return {"ms": value.value, "s": 1000 * value.value, "": value.value}.get(value.unit)


def left_out(pair: Pair) -> tuple[Literal["current", "target"], str] | None:
    """Which side keeps a pair from being measured, and why: what no endpoint is to blame for, what was never asked, and
    what an earlier start broke off; of the last, errors and times still take what it can have been, see `span`.
    """
    if pair.target.failure in _NO_EVIDENCE:
        return "target", pair.target.failure
    if pair.current.failure in _NO_EVIDENCE:
        return "current", pair.current.failure
    return None


def bad_sides(gate: Gate, pair: Pair, scores: Mapping[str, Score]) -> tuple[float | None, float] | None:
    """How bad the current and the target side are: 1 for a failure or a broken form, a time in milliseconds.

    None where the gate does not apply to this pair, or a side that it needs was not measured; the first is None for a
    gate that looks at the target alone and has no answer of the current side. Agreements are `noise`'s.
    """
    if gate.subject == "errors":
        sides: tuple[float | None, float | None] = (_failed(pair.current), _failed(pair.target))
    elif gate.subject == "validity":
        sides = _broken(gate, pair, scores.get(gate.key))
    else:
        sides = (_time(pair.current, gate.subject), _time(pair.target, gate.subject))
    current, target = sides
    if target is None or (current is None and gate.comparative):
        return None
    return current, target


def is_open(pair: Pair) -> bool:
    """Whether all that keeps a pair from being measured is that an earlier start broke a side off.

    What is under way at a kill is mostly what hangs. To leave such pairs out would make a side better than it is.
    """
    found = {side.failure for side in (pair.current, pair.target)} & _NO_EVIDENCE
    return found == {_OPEN}


def span(gate: Gate, pair: Pair, reference: float | None) -> tuple[float, float] | None:
    """The most and the least that D of an open pair can be, as `difference` has it with the same `reference`.

    None where the gate is neither of errors nor of times, or would not apply.
    """
    current, target = _range(gate, pair.current), _range(gate, pair.target)
    if target is None or (current is None and gate.comparative):
        return None
    low, high = current or (None, None)
    return difference(gate, low, target[1], reference), difference(gate, high, target[0], reference)


def _range(gate: Gate, arm: Arm) -> tuple[float, float] | None:
    """How bad a side can have been: at best, at worst."""
    if gate.subject not in ("errors", "latency", "ttft"):
        return None
    errors = gate.subject == "errors"
    if arm.failure == _OPEN:
        return 0.0, 1.0 if errors else math.inf
    found = _failed(arm) if errors else _time(arm, gate.subject)
    return None if found is None else (found, found)


def _failed(arm: Arm) -> float:
    return float(arm.first_failure is not None)


def _broken(gate: Gate, pair: Pair, score: Score | None) -> tuple[float | None, float | None]:
    """What each side broke. An answer that the measure has nothing to say about breaks nothing, so that a target that
    makes a bad tool call where the current side makes none is seen.
    """
    if not isinstance(score, Sides) or (score.current is None and score.target is None):
        return None, None
    current, target = (None if value is None else 1 - float(value) for value in (score.current, score.target))
    if gate.comparative and score.why is None:
        current = 0.0 if current is None and pair.current.answer is not None else current
        target = 0.0 if target is None and pair.target.answer is not None else target
    return current, target


def _time(arm: Arm, subject: Subject) -> float | None:
    """Milliseconds; endless where the side was given up on, None where it failed in another way."""
    time = arm.latency_ms if subject == "latency" else arm.ttft_ms
    if arm.failure is None or (subject == "ttft" and time is not None):
        return time
    return math.inf if arm.failure.startswith("timeout") else None


def difference(gate: Gate, current: float | None, target: float, reference: float | None) -> float:
    """D of one pair. `reference`: of a gate on the ratio of times, the current side's quantile that was fixed."""
    if gate.most is None:
        return target - (current or 0.0) if gate.comparative else target
    if reference is None or current is None:
        return float(target > gate.most)
    return float(target > gate.most * reference) - float(current > reference)
