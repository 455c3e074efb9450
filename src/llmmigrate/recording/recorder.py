"""Writes one canonical record a call, behind the traffic's back: a thread of its own parses and writes.

Calls that nobody sees the end of, such as a stream that is never read, are kept in mind and written at the end. A
process that is forked has no such thread, and may end without a word; it writes its calls itself, as each ends.
"""

import atexit
import contextlib
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from llmmigrate.logs.redaction import redacted
from llmmigrate.logs.writing import flat_record
from llmmigrate.recording.exchange import Exchange, call_of
from llmmigrate.recording.target import ends_within_a_line

Clean = Callable[[Any], Any]
TEXT: Final = ("request", "response", "tool_calls")
MOST_WAITING: Final = 10_000
"""Exchanges that may wait to be written; more are counted as not recorded rather than held in memory."""
_TOO_LATE: Final = "the recording was closed before"
_LAST_SECONDS: Final = 10.0
"""How long closing waits for what is still to be written."""


class Counts(msgspec.Struct):
    """What became of the requests that passed by."""

    recorded: int = 0
    without_usage: int = 0
    """Recorded, but the answer told no tokens and was no failure."""
    failed: int = 0
    other: int = 0
    """No calls of a model."""
    lost: dict[str, int] = msgspec.field(default_factory=dict)
    """Why → calls that could not be recorded."""


class Recorder:
    """Adds records to a file. `clean` goes over kept text before it is written; None keeps it as it is."""

    def __init__(self, path: str | Path, *, keep_text: bool = False, clean: Clean | None = redacted) -> None:
        """Open the file at once; OSError where it cannot be written, UsageError where it takes no plain lines."""
        self.counts = Counts()
        self._lock = threading.RLock()  # the collection of garbage may end a stream wherever a thread stands
        self._keep_text, self._clean = keep_text, clean
        self._within_a_line = ends_within_a_line(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._open: set[Exchange] = set()
        self._closed = self._forked = False
        self._queue: queue.SimpleQueue[Exchange | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="llmmigrate-recorder", daemon=True)
        self._thread.start()
        atexit.register(self.close)
        _recorders.add(self)

    def begin(self, exchange: Exchange) -> None:
        """Keep an exchange in mind that is to `end`; where nobody ends it, closing notes it as left by the client."""
        with self._lock:
            if self._closed:
                self.lose(_TOO_LATE)
            else:
                self._open.add(exchange)

    def end(self, exchange: Exchange, *, failure: str | None = None, left: bool = False) -> None:
        """Note an exchange that was begun, as it has ended first; what comes later says nothing."""
        try:
            self._open.remove(exchange)
        except KeyError:
            return
        exchange.failure, exchange.left, exchange.ended_ns = failure, left, time.time_ns()
        self.note(exchange)

    def note(self, exchange: Exchange) -> None:
        """Take over an exchange that has ended. Never raises, and never waits but in a forked process."""
        with self._lock:
            if self._closed:
                self.lose(_TOO_LATE)
                return
            if not self._forked:
                self._hand_over(exchange)
                return
        self._try(exchange)

    def lose(self, why: str) -> None:
        """Count a request that is in no record."""
        with self._lock:
            self.counts.lost[why] = self.counts.lost.get(why, 0) + 1

    def close(self) -> Counts:
        """Write what is left; what became of all requests."""
        self._leave_open()
        self._queue.put(None)
        self._thread.join(_LAST_SECONDS)
        if not self._thread.is_alive():
            atexit.unregister(self.close)
            self._close_file()
        return self.counts

    def _leave_open(self) -> None:
        """Nothing more is begun; note what nobody has ended. When that was left is not known."""
        with self._lock:
            self._closed, left, self._open = True, self._open, set()
        while left:
            with contextlib.suppress(KeyError):  # another thread ends it at this moment, too late
                exchange = left.pop()
                exchange.left = True
                self._try(exchange) if self._forked else self._hand_over(exchange)

    def _hand_over(self, exchange: Exchange) -> None:
        if self._queue.qsize() >= MOST_WAITING:
            self.lose("more calls than could be written")
        else:
            self._queue.put(exchange)

    def _close_file(self) -> None:
        with _WRITING:
            held, self._file = self._file, -1
        if held >= 0:
            os.close(held)

    def _fork(self) -> None:
        """In a forked process: its counts are its own; what was under way, or waits to be written, is its parent's."""
        self.counts, self._lock, self._open, self._forked = Counts(), threading.RLock(), set(), True
        self._queue = queue.SimpleQueue()

    def _run(self) -> None:
        while (exchange := self._queue.get()) is not None:
            self._try(exchange)

    def _try(self, exchange: Exchange) -> None:
        try:
            with _WRITING:
                self._write(exchange)
        except Exception as error:  # a recorder that dies would lose all that follows
            self.lose(error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__)

    def _write(self, exchange: Exchange) -> None:
        call = call_of(exchange, keep_text=self._keep_text)
        if call is None:
            self.counts.other += 1
            return
        record = flat_record(call)
        if self._clean is not None:
            record |= {name: self._clean(record[name]) for name in TEXT if name in record}
        self._append(msgspec.json.encode(record) + b"\n")
        self.counts.recorded += 1
        self.counts.failed += call.error is not None
        self.counts.without_usage += call.usage == "missing" and call.error is None

    def _append(self, line: bytes) -> None:
        """Write one line whole or not at all: a line cut off by a full disk would spoil the next one as well."""
        line = b"\n" + line if self._within_a_line else line
        written = os.write(self._file, line)
        if written < len(line):
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(28, "No space left on device")
        self._within_a_line = False


_recorders: "weakref.WeakSet[Recorder]" = weakref.WeakSet()
_WRITING: Final = threading.RLock()
"""Held while a record is made, and while the process is forked: a lock that a writer holds then, such as that of an
import, would never be released in the child."""


def _after_fork() -> None:
    for recorder in _recorders:
        recorder._fork()
    _WRITING.release()


os.register_at_fork(before=_WRITING.acquire, after_in_parent=_WRITING.release, after_in_child=_after_fork)
