"""Where the parts of a forest plot stand, in per cent of its width."""

from typing import Final, TypeGuard

import msgspec

from llmmigrate.reports.html.blocks import Interval

_LEAST: Final = -1.5
_MOST: Final = 2.5
"""The part of a row's scale that is drawn; what lies beyond ends in an arrow."""
_PAD: Final = 3.0


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A row's places in per cent; None is not drawn."""

    limit: float
    now: float | None
    low: float | None
    high: float | None
    place: float | None
    """Of the estimate, where it lies inside."""
    off_left: bool
    """The estimate or its interval goes on beyond the left end."""
    off_right: bool


def drawn(row: Interval) -> Drawn:
    """The places of a row."""
    ends = [end for end in (row.low, row.place, row.high) if end is not None]
    return Drawn(
        limit=_percent(1.0),
        now=_percent(row.now) if _is_inside(row.now) else None,
        low=None if row.low is None else _percent(row.low),
        high=None if row.high is None else _percent(row.high),
        place=_percent(row.place) if _is_inside(row.place) else None,
        off_left=min(ends, default=0) < _LEAST,
        off_right=max(ends, default=0) > _MOST,
    )


def _is_inside(place: float | None) -> TypeGuard[float]:
    return place is not None and _LEAST <= place <= _MOST


def placed(value: float | None, *, limit: float, now: float, rising: bool) -> float | None:
    """The place of a value on the scale of its gate: 1 at the limit, larger is worse, 0 where things stand now.

    `rising`: larger values are worse. Where `now` is the limit itself, the unit is the limit's own size.
    """
    if value is None:
        return None
    unit = abs(limit - now) or abs(limit) or 1.0
    worse = (value - limit) if rising else (limit - value)
    return 1 + worse / unit


def _percent(place: float) -> float:
    inside = min(_MOST, max(_LEAST, place))
    return round(_PAD + (100 - 2 * _PAD) * (inside - _LEAST) / (_MOST - _LEAST), 2)
