"""Joins rows that are parts of one call: stream chunks, and transcripts that repeat a message as it grows."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import msgspec

from llmmigrate.usage.call import Call

MAX_OPEN: Final = 4096
"""Parts of one call stand near each other; the longest-untouched call is finished when more are open."""

Placed = tuple[Call, int]
"""A call and its line."""


class OpenCalls:
    """Calls whose parts may not all have been read yet, by request id."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Placed] = OrderedDict()

    def add(self, call: Call, line: int) -> tuple[Placed | None, bool]:
        """Add a part; returns a call that is finished, if any, and whether the part joined an open call."""
        key = call.request_id or ""
        held = self._open.get(key)
        if held is not None:
            self._open[key] = (joined(held[0], call), held[1])
            self._open.move_to_end(key)
            return None, True
        self._open[key] = (call, line)
        if len(self._open) > MAX_OPEN:
            return self._open.popitem(last=False)[1], False
        return None, False

    def close(self) -> Iterator[Placed]:
        """Finish all open calls, in the order of their last part."""
        while self._open:
            yield self._open.popitem(last=False)[1]


def joined(first: Call, second: Call) -> Call:
    """One call of two parts: the fuller usage, the earlier start."""
    fuller = second if _fullness(second) > _fullness(first) else first
    starts = [part.start_ns for part in (first, second) if part.start_ns is not None]
    return msgspec.structs.replace(fuller, start_ns=min(starts, default=None))


def _fullness(call: Call) -> tuple[bool, int, int]:
    return call.usage != "missing", call.output_tokens, call.input_tokens
