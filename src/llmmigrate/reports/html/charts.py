"""Where the lines and bars of a chart stand. Lines are drawn on a field of 1,000 × 300 that stretches with the page."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from llmmigrate.reports.html.blocks import Bars, Lines

WIDE: Final = 1000.0
HIGH: Final = 300.0
_NICE: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_TICKS: Final = 4
_NAMES: Final = 3
"""Steps that are named below the chart: few enough for a phone."""


class Tick(msgspec.Struct, frozen=True):
    """A name at a place in per cent."""

    place: float
    text: str


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """A chart of lines as paths; places in per cent from the left or the top."""

    lines: Sequence[tuple[str, str]]
    """Style and path."""
    band: str | None
    ticks: Sequence[Tick]
    names: Sequence[Tick]
    zero: float | None
    """Height of the zero line, where it lies inside."""
    mark: Tick | None


def plotted(block: Lines) -> Plot:
    """The paths of a chart."""
    known = [
        v for values in (*(s.values for s in block.series), block.low, block.high) for v in values if v is not None
    ]
    bottom, top, step = _scale(min([0.0, *known]), max([0.0, *known]))
    last = max(1, len(block.steps) - 1)

    def x(place: float) -> float:
        return round(WIDE * place / last, 1)

    def y(value: float) -> float:
        return round(HIGH * (top - value) / (top - bottom), 1)

    def path(values: Sequence[float | None]) -> str:
        return "".join(_moves([None if v is None else (x(i), y(v)) for i, v in enumerate(values)]))

    band = None
    if block.low and block.high and None not in (*block.low, *block.high):
        back = [(x(i), y(v or 0.0)) for i, v in reversed(list(enumerate(block.low)))]
        band = path(block.high) + "".join(f"L{a:g} {b:g}" for a, b in back) + "Z"
    count = round((top - bottom) / step)
    values = [bottom + step * index for index in range(count + 1)]
    return Plot(
        lines=[(series.style, path(series.values)) for series in block.series],
        band=band,
        ticks=[Tick(round(100 * y(value) / HIGH, 1), f"{value:,.10g}") for value in values],
        names=_names(block.steps),
        zero=round(100 * y(0.0) / HIGH, 1) if bottom < 0 < top else None,
        mark=None if block.mark is None else Tick(round(100 * block.mark[0] / last, 1), block.mark[1]),
    )


def _moves(points: Iterable[tuple[float, float] | None]) -> Iterable[str]:
    """A new start after each gap; a point between two gaps is a dot."""
    pen = "M"
    for point in points:
        if point is None:
            pen = "M"
        else:
            yield f"{pen}{point[0]:g} {point[1]:g}" + ("h0" if pen == "M" else "")
            pen = "L"


def _scale(low: float, high: float) -> tuple[float, float, float]:
    """Round ends around all values, and the step between two ticks."""
    span = (high - low) or 1.0
    size = 10.0 ** len(str(int(span / _TICKS))) / 10 if span >= _TICKS else 1.0
    while span / _TICKS < size:
        size /= 10
    step = next(size * nice for nice in _NICE if span / _TICKS <= size * nice)
    bottom = step * int(low / step - (0.999999 if low < 0 else 0))
    top = step * int(high / step + (0.999999 if high > 0 else 0))
    return bottom, max(top, bottom + step), step


def _names(steps: Sequence[str]) -> list[Tick]:
    last = len(steps) - 1
    if last < 1:
        return [Tick(0.0, name) for name in steps]
    places = sorted({round(last * part / (_NAMES - 1)) for part in range(_NAMES)})
    return [Tick(round(100 * place / last, 1), steps[place]) for place in places]


def lengths(block: Bars) -> list[tuple[float | None, float | None]]:
    """The lengths of each pair in per cent of the longest bar."""
    longest = max([v for row in block.rows for v in (row.now, row.then) if v is not None], default=0.0) or 1.0

    def part(value: float | None) -> float | None:
        return None if value is None else round(100 * value / longest, 2)

    return [(part(row.now), part(row.then)) for row in block.rows]
