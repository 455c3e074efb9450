"""The figures of a comparison in words, as every page of it writes them."""

from typing import Final, Literal

from llmmigrate.costing import evidence
from llmmigrate.reports import numbers
from llmmigrate.shadow.judgement import GateResult
from llmmigrate.shadow.results import ComparisonResult

Gate = GateResult | evidence.Gate
"""A gate as a run judges it, and as a report quotes it."""

_NAMES: Final = {"ttft": "time to first token", "json": "JSON"}
_REASONS: Final = {
    "ours": "a failure of our own",
    "incompatible": "cannot be put to this side",
    "interrupted": "broken off in an earlier start, which helps neither PASS nor FAIL",
}


def gate_name(key: str) -> str:
    """`latency_p95` as `latency p95`; the user's own measures as they are called."""
    if not key.replace("_", "").isalnum():
        return key
    return " ".join(_NAMES.get(part, part) for part in key.split("_"))


def side_name(result: ComparisonResult, side: Literal["current", "target"]) -> str:
    """The name of a side."""
    return result.current.name if side == "current" else result.target.name


def unbilled(result: ComparisonResult) -> str | None:
    """The sides whose answers cost nothing, such as an endpoint of one's own; None where both are billed."""
    cost = result.cost
    if cost is None:
        return None
    sides = ((cost.current, result.current.name), (cost.target, result.target.name))
    return " and ".join(name for amount, name in sides if amount == "0") or None


def change_words(reason: str) -> str:
    """A reason as words."""
    return _REASONS.get(reason, reason if " " in reason else reason.replace("_", " "))


def figure_words(gate: Gate) -> str:
    """The estimate with its interval: `+0.2 pt (-0.5 … +0.9)`."""
    if gate.estimate is None:
        return numbers.MISSING
    middle = value(gate, gate.estimate)
    if gate.low is None or gate.high is None:
        return middle
    return f"{middle} ({_bare(value(gate, gate.low))} … {_bare(value(gate, gate.high))})"


def value(gate: Gate, number: float) -> str:
    """An estimate or an end of its interval, in the unit of its gate."""
    match gate.kind:
        case "difference":
            return numbers.signed_share(number).replace("%", "pt")
        case "share":
            return numbers.share(number)
        case "ratio":
            return f"{number:,.2f} ×"
        case "ms":
            return numbers.milliseconds(number)


def level(gate: Gate, number: float | None) -> str:
    """What one side shows: a time, or a share or score in per cent."""
    if number is None:
        return numbers.MISSING
    return numbers.milliseconds(number) if gate.kind in ("ratio", "ms") else numbers.share(number)


def percent(part: float) -> str:
    """A level that is chosen and not measured, as short as it is: `90 %`."""
    return numbers.share(part).replace(".0 %", " %")


def _bare(text: str) -> str:
    """A figure without its unit where the unit stands before it already."""
    return text.removesuffix(" pt").removesuffix(" ×").removesuffix(" %")
