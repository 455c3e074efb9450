"""The journal of a run: an intent on disk before each request, its result after it; one JSON object a line.

An intent is synced to the disk before the request leaves, so that no crash, not even a power cut, can hide that money
may have been spent. On a quick disk that is waited for on the spot, else in a thread, where intents that wait together
are synced together.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import msgspec

from llmmigrate.endpoints.failures import OUTAGE
from llmmigrate.errors import InputError, Location
from llmmigrate.money import EXACT

_encode: Final = msgspec.json.Encoder(decimal_format="string").encode

QUICK: Final = 0.0005
"""Seconds in which a disk has to be done to be waited for on the spot: a thread takes as long to be woken up."""
_NEWEST: Final = 0.2
"""What the newest wait counts for in their running mean."""
_FADING: Final = 0.98
"""So slow waits are forgotten, sync by sync in the thread, until the spot is tried again."""
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Past(NamedTuple):
    """What a journal of an earlier start holds."""

    results: dict[str, int]
    """Key → where the result's line begins."""
    ambiguous: dict[str, dict[str, Any]]
    """Intents without a result: sent or not, nobody knows."""
    charged: Decimal
    """USD that all of it counts against the cap; an intent without a result its worst case."""
    tokens: int
    """The same in tokens."""
    pairs: dict[str, int]
    """Key of a logged request → where the last record of its pair begins, in the order of evidence."""
    outage: frozenset[str]
    """Failed requests with which a start ended whose endpoint was down: no evidence when it is up again."""
    torn: bool
    """The last line was cut off by a crash, and was dropped."""


class Journal:
    """An append-only file of one run. Use from one event loop; only one process may hold it."""

    def __init__(self, path: Path) -> None:
        """Open or make the journal at `path`; a torn last line is cut away. InputError when another process has it."""
        self.path = path
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise InputError(f"{path} is in use by another process", fix="wait for it, or stop it") from None
        self.torn = _cut_torn_line(self._file)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._usual_wait = 0.0

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # What went wrong before is said; a disk that is full says it again on closing.
        with contextlib.suppress(OSError) if error is not None else contextlib.nullcontext():
            self.close()

    def close(self) -> None:
        """Sync and close."""
        if not self._file.closed:
            with self._file:
                os.fsync(self._file.fileno())

    async def intend(self, record: dict[str, Any]) -> None:
        """Write a record and return once it is on the disk."""
        if self._flusher is None and self._usual_wait < QUICK:
            self.note(record)
            self._sync_now()
            return
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((_line(record), done))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        await done

    def note(self, record: dict[str, Any]) -> None:
        """Write a record; it survives a kill of this process, but maybe not a power cut."""
        try:
            self._file.write(_line(record))
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def _sync_now(self) -> None:
        began = time.perf_counter()
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error
        self._usual_wait += _NEWEST * (time.perf_counter() - began - self._usual_wait)

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(
            f"{self.path} cannot be written, so nothing more is sent",
            why=error.strerror,
            fix="make room, and go on with --resume; nothing is paid twice",
        )

    async def _flush(self) -> None:
        """Sync what waits, and again what has come meanwhile."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                self._file.write(b"".join(line for line, _ in batch))
                self._file.flush()
                await asyncio.to_thread(os.fsync, self._file.fileno())
                self._usual_wait *= _FADING
            except OSError as error:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(self._unwritable(error))
                continue
            for _, done in batch:
                if not done.done():
                    done.set_result(None)
        self._flusher = None

    def past(self) -> Past:
        """What is in the file."""
        results: dict[str, int] = {}
        pairs: dict[str, int] = {}
        ambiguous: dict[str, dict[str, Any]] = {}
        outages = _Outages()
        charged, tokens = Decimal(0), 0
        for place, record in self._read():
            outages.add(record)
            kind = record.get("type")
            if kind == "intent":
                ambiguous[record["key"]] = record
            elif kind in ("result", "given_up"):
                ambiguous.pop(record["key"], None)
                charged, tokens = EXACT.add(charged, Decimal(record["charged"])), tokens + record["tokens"]
            if kind == "result":
                results[record["key"]] = place
            elif kind == "pair":
                pairs[record["asked"]["key"]] = place
        for intent in ambiguous.values():
            charged, tokens = EXACT.add(charged, Decimal(intent["worst"] or 0)), tokens + intent["tokens"]
        return Past(results, ambiguous, charged, tokens, pairs, frozenset(outages.found), self.torn)

    def records(self, kind: str) -> Iterator[dict[str, Any]]:
        """All records of a kind, in order; one at a time, as there may be many."""
        return (record for _, record in self._read() if record.get("type") == kind)

    def record_at(self, place: int) -> dict[str, Any]:
        """The record whose line begins at `place`."""
        with self.path.open("rb") as file:
            file.seek(place)
            found: dict[str, Any] = _decode(file.readline())
        return found

    def _read(self) -> Iterator[tuple[int, dict[str, Any]]]:
        place = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    record = _decode(line)
                except msgspec.DecodeError as error:
                    where = Location(str(self.path), number)
                    raise InputError("the journal is damaged", where=where, why=str(error)) from None
                yield place, record
                place += len(line)


def as_read(record: dict[str, Any]) -> dict[str, Any]:
    """A record as it comes out of a journal: amounts are text."""
    found: dict[str, Any] = _decode(_encode(record))
    return found


class _Outages:
    """Finds, record by record, the failures with which a start ended that was broken off because of them.

    Those before the last answer of the side stay what they are: evidence.
    """

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._in_a_row: dict[str, list[str]] = {}

    def add(self, record: dict[str, Any]) -> None:
        """Take the next record."""
        if record.get("type") == "result":
            failure = record["arm"].get("failure")
            row = self._in_a_row.setdefault(record["side"], [])
            if failure in OUTAGE:
                row.append(record["key"])
            elif failure not in _SAY_NOTHING:
                row.clear()
        elif record.get("type") == "end" and record["reason"] == "infrastructure":
            self.found.update(*self._in_a_row.values())
            self._in_a_row.clear()


_SAY_NOTHING: Final = frozenset({"breaker", "ours", "rate_limit"})
"""Failures that tell neither that an endpoint is up nor that it is down."""


def _line(record: dict[str, Any]) -> bytes:
    return _encode(record) + b"\n"


def _cut_torn_line(file: Any) -> bool:
    """Drop what follows the last line end; whether there was something."""
    end = file.seek(0, os.SEEK_END)
    whole = end
    while whole:
        start = max(0, whole - 65536)
        file.seek(start)
        last = file.read(whole - start).rfind(b"\n")
        if last >= 0:
            whole = start + last + 1
            break
        whole = start
    if whole != end:
        file.truncate(whole)
        file.seek(0, os.SEEK_END)
    return bool(whole != end)
