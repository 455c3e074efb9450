"""Writes one canonical record a call, behind the traffic's back: a thread of its own parses and writes."""

import atexit
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from llmmigrate.logs.redaction import redacted
from llmmigrate.logs.writing import flat_record
from llmmigrate.recording.exchange import Exchange, call_of

Clean = Callable[[Any], Any]
TEXT: Final = ("request", "response", "tool_calls")
MOST_WAITING: Final = 10_000
"""Exchanges that may wait to be written; more are counted as not recorded rather than held in memory."""
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
        """Open the file at once; OSError where it cannot be written."""
        self.counts = Counts()
        self._counting = threading.Lock()
        self._keep_text, self._clean = keep_text, clean
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._queue: queue.Queue[Exchange | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="llmmigrate-recorder", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def note(self, exchange: Exchange) -> None:
        """Take over an exchange that has ended. Never raises, never waits."""
        try:
            self._queue.put_nowait(exchange)
        except queue.Full:
            self.lose("more calls than could be written")

    def lose(self, why: str) -> None:
        """Count a request that is in no record."""
        with self._counting:
            self.counts.lost[why] = self.counts.lost.get(why, 0) + 1

    def close(self) -> Counts:
        """Write what is left; what became of all requests."""
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=_LAST_SECONDS)
            self._thread.join(_LAST_SECONDS)
            atexit.unregister(self.close)
        if not self._thread.is_alive() and self._file >= 0:
            os.close(self._file)
            self._file = -1
        return self.counts

    def _run(self) -> None:
        while (exchange := self._queue.get()) is not None:
            try:
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
        written = os.write(self._file, line)
        if written < len(line):
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(28, "No space left on device")
