"""The journal of a run: an intent on disk before each request, its result after it; one JSON object a line.

An intent is synced to the disk before the request leaves, so that no crash, not even a power cut, can hide that money
may have been spent. Intents of one turn of the loop are synced together. On a quick disk that is waited for on the
spot, else in a thread, and what comes meanwhile is synced together next.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import msgspec

from llmmigrate.endpoints.failures import OUTAGE
from llmmigrate.errors import InputError, Location
from llmmigrate.money import EXACT

_encode: Final = msgspec.json.Encoder(decimal_format="string").encode

QUICK: Final = 0.002
"""Seconds in which a disk has to be done to be waited for on the spot: a thread takes as long to be woken up, and the
loop to hear of it."""
_REMEMBERED: Final = 5
"""Syncs on the spot of which the middle one tells how quick the disk is: a single slow one says nothing."""
_TRY_AGAIN: Final = 64
"""After so many syncs in the thread, the spot is tried again."""
_Batch = list[tuple[bytes, asyncio.Future[None]]]
"""Lines that wait to be synced, and who waits for them."""
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
        self._waiting: _Batch = []
        self._flushing = False
        self._thread = ThreadPoolExecutor(1, "journal")
        self._took = deque([0.0] * _REMEMBERED, maxlen=_REMEMBERED)
        self._in_thread = 0

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # What went wrong before is said; a disk that is full says it again on closing.
        with contextlib.suppress(OSError) if error is not None else contextlib.nullcontext():
            self.close()

    def close(self) -> None:
        """Sync and close."""
        self._thread.shutdown()
        if not self._file.closed:
            with self._file:
                os.fsync(self._file.fileno())

    async def intend(self, record: dict[str, Any]) -> None:
        """Write a record and return once it is on the disk."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._waiting.append((_line(record), done))
        if not self._flushing:
            self._flushing = True
            loop.call_soon(self._flush)
        await done

    def note(self, record: dict[str, Any]) -> None:
        """Write a record; it survives a kill of this process, but maybe not a power cut."""
        try:
            self._file.write(_line(record))
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def _flush(self) -> None:
        """Write what waits and sync it; in the thread, what has come meanwhile is next."""
        if self._file.closed:  # the run has ended, and nobody waits any more
            return
        batch, self._waiting = self._waiting, []
        try:
            self._file.write(b"".join(line for line, _ in batch))
            self._file.flush()
            if sorted(self._took)[_REMEMBERED // 2] >= QUICK:
                self._sync_in_thread(batch)
                return
            began = time.perf_counter()
            os.fsync(self._file.fileno())
            self._took.append(time.perf_counter() - began)
        except OSError as error:
            self._release(batch, error)
        else:
            self._release(batch, None)
        self._flushing = False

    def _sync_in_thread(self, batch: _Batch) -> None:
        """Sync without holding up the loop; the thread tells it without a detour, as each turn of it takes long."""
        loop = asyncio.get_running_loop()

        def tell(done: Future[None]) -> None:
            with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
                loop.call_soon_threadsafe(self._synced, batch, done.exception())

        self._thread.submit(os.fsync, self._file.fileno()).add_done_callback(tell)

    def _synced(self, batch: _Batch, error: BaseException | None) -> None:
        self._release(batch, error)
        self._in_thread += 1
        if self._in_thread >= _TRY_AGAIN:
            self._in_thread = 0
            self._took.extend([0.0] * _REMEMBERED)
        self._flushing = bool(self._waiting)
        if self._flushing:
            self._flush()

    def _release(self, batch: _Batch, error: BaseException | None) -> None:
        """Let those go on whose lines are on the disk, or tell them why they are not."""
        for _, done in batch:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(self._unwritable(error) if isinstance(error, OSError) else error)

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(
            f"{self.path} cannot be written, so nothing more is sent",
            why=error.strerror,
            fix="make room, and go on with --resume; nothing is paid twice",
        )

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
