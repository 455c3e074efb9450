"""How long an endpoint asks to wait, in every spelling that is in use."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_BUCKETS: Final = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
)
_PLAIN: Final = (
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
)
_DURATION: Final = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII
)
_PARTS: Final = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)
_LONGEST: Final = 64
"""Characters; no date and no duration has more."""
_EPOCH: Final = 1e9
"""A count of seconds above this is an instant and not a span; above a thousand times it, one in milliseconds."""


def asked(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds from `now` (epoch) that an endpoint asks to wait; None when it does not say.

    Read in this order: `retry-after-ms`, `retry-after` (seconds, a duration or an HTTP date), then the time at which an
    exhausted bucket is full again: `x-ratelimit-reset-requests` and `-tokens` (durations such as `6m0s`),
    `anthropic-ratelimit-…-reset` (RFC 3339), `x-ratelimit-reset` and `ratelimit-reset` (seconds, or an epoch in seconds
    or milliseconds). A bucket that still holds something is not what stopped the request. `headers` has keys that are
    compared without case, or are in lower case.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    told = _span(headers.get("retry-after"), now)
    if told is not None:
        return told
    resets = [_span(headers.get(reset), now) for left, reset in _BUCKETS if _number(headers.get(left)) == 0]
    resets += [_span(headers.get(reset), now) for left, reset in _PLAIN if not _number(headers.get(left))]
    return max((reset for reset in resets if reset is not None), default=None)


def _span(text: str | None, now: float) -> float | None:
    """Seconds from now, of a number, a duration, or an instant; None when it is none of them."""
    if text is None or not text.strip() or len(text) > _LONGEST:
        return None
    seconds = _number(text)
    if seconds is not None:
        return _from_now(seconds, now)
    duration = _DURATION.fullmatch(text.strip())
    if duration is not None:
        return sum(float(part) * size for part, size in zip(duration.groups(), _PARTS, strict=True) if part)
    instant = _instant(text.strip())
    return None if instant is None else max(0.0, instant - now)


def _from_now(seconds: float, now: float) -> float:
    if seconds < _EPOCH:
        return seconds
    instant = seconds / 1000 if seconds >= _EPOCH * 1000 else seconds
    return max(0.0, instant - now)


def _number(text: str | None) -> float | None:
    """A finite number of zero or more."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _instant(text: str) -> float | None:
    """Epoch seconds of an HTTP date or an RFC 3339 time; one without a zone is UTC."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError, OSError):
            continue
    return None
