"""The journal of a run: an intent on disk before each request, its result after it; one JSON object a line.

An intent is synced to the disk before the request leaves, so that no crash, not even a power cut, can hide that money
may have been spent. Syncs run in a thread, some time apart; what comes meanwhile is synced together next.

Records: `start` (of a process; `boot` names the time since the machine was started), `intent` (a request may be sent,
and cost so much at most), `sent` (it leaves now), `result`, `given_up` (nothing of it is under way, and it is not
answered), `pair` (judged; its answers by the keys of their results), `end`.
"""

import asyncio
import contextlib
import fcntl
import os
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

APART: Final = 0.01
"""Seconds between the beginnings of two syncs, at least: each takes CPU for the disk, the thread and the loop, and who
waits for it is seldom held up, as his turn has not come yet."""
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
"""Where Linux names the time since it was started."""
_Batch = list[asyncio.Future[None]]
"""Who waits for a sync."""
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Past(NamedTuple):
    """What a journal of an earlier start holds."""

    results: dict[str, int]
    """Key → where the result's line begins."""
    ambiguous: dict[str, dict[str, Any]]
    """Intents without a result whose requests were sent, or may have been."""
    charged: Decimal
    """USD that all of it counts against the cap; an ambiguous intent its worst case."""
    tokens: int
    """The same in tokens."""
    known: Decimal
    """The part of `charged` that answers have cost: no worst case is in it."""
    latest_ns: int
    """The last moment at which a request was sent, or had failed: nanoseconds since the Unix epoch; 0 without one."""
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
        self._broken: OSError | None = None
        self._waiting: _Batch = []
        self._syncing = False
        self._last = -APART
        """When the last sync began, by the clock of the loop."""
        self._thread = ThreadPoolExecutor(1, "journal")

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

    async def intend(self, *records: dict[str, Any]) -> None:
        """Write records and return once they are on the disk."""
        done = asyncio.get_running_loop().create_future()
        self._write(b"".join(map(_line, records)))
        self._waiting.append(done)
        if not self._syncing:
            self._sync_next()
        await done

    def note(self, record: dict[str, Any]) -> None:
        """Write a record; it survives a kill of this process, but maybe not a power cut."""
        self._write(_line(record))

    def _write(self, lines: bytes) -> None:
        """Append lines; after one that could not be written whole, nothing more may follow it."""
        if self._broken is None:
            try:
                self._file.write(lines)
                self._file.flush()
            except OSError as error:
                self._broken = error
        if self._broken is not None:
            raise self._unwritable(self._broken) from self._broken

    def _sync_next(self) -> None:
        """Sync what is written in this turn of the loop, and what comes until the last sync is long enough ago."""
        self._syncing = True
        asyncio.get_running_loop().call_at(self._last + APART, self._sync)

    def _sync(self) -> None:
        """Sync what was written, in a thread, as it may take long; what comes meanwhile is next."""
        if self._file.closed:  # the run has ended, and nobody waits any more
            return
        batch, self._waiting = self._waiting, []
        loop = asyncio.get_running_loop()
        self._last = loop.time()

        def tell(done: Future[None]) -> None:
            with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
                loop.call_soon_threadsafe(self._synced, batch, done.exception())

        # Without the detour of the loop's own futures, as each turn of the loop takes long.
        self._thread.submit(os.fsync, self._file.fileno()).add_done_callback(tell)

    def _synced(self, batch: _Batch, error: BaseException | None) -> None:
        self._release(batch, error)
        self._syncing = False
        if self._waiting:
            self._sync_next()

    def _release(self, batch: _Batch, error: BaseException | None) -> None:
        """Let those go on whose lines are on the disk, or tell them why they are not."""
        for done in batch:
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

    def start(self) -> None:
        """Begin a start of the run: what the intents from here on mean hangs on how long the machine stays up."""
        self.note({"type": "start", "boot": boot()})

    def past(self) -> Past:
        """What is in the file."""
        results: dict[str, int] = {}
        pairs: dict[str, int] = {}
        intents = _Intents()
        outages = _Outages()
        known, latest = Decimal(0), 0
        for place, record in self._read():
            outages.add(record)
            intents.add(record)
            kind = record.get("type")
            if kind == "result":
                results[record["key"]] = place
                known = EXACT.add(known, _known_cost(record["arm"]))
                latest = max(latest, record["arm"].get("sent_ns", 0), record["arm"].get("failed_ns", 0))
            elif kind == "pair":
                pairs[record["asked"]["key"]] = place
        ambiguous = intents.ambiguous(boot())
        charged, tokens = intents.charged, intents.tokens
        for intent in ambiguous.values():
            charged, tokens = EXACT.add(charged, Decimal(intent["worst"] or 0)), tokens + intent["tokens"]
        return Past(results, ambiguous, charged, tokens, known, latest, pairs, frozenset(outages.found), self.torn)

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


class _Intents:
    """Finds, record by record, the intents without a result, and which of them may have been sent.

    Right before a request leaves, the journal gets a mark. It is not synced, so after a power cut nobody knows whether
    it is missing because nothing was sent; but it is there as long as the machine stays up, whatever becomes of the
    process.
    """

    def __init__(self) -> None:
        self.charged = Decimal(0)
        """USD of results, and of what was given up."""
        self.tokens = 0
        self._open: dict[str, dict[str, Any]] = {}
        self._sent: set[str] = set()
        self._boot: str | None = None

    def add(self, record: dict[str, Any]) -> None:
        """Take the next record."""
        kind = record.get("type")
        if kind == "intent":
            self._open[record["key"]] = record
        elif kind == "sent":
            self._sent.add(record["key"])
        elif kind in ("result", "given_up"):
            self._open.pop(record["key"], None)
            self._sent.discard(record["key"])
            self.charged = EXACT.add(self.charged, Decimal(record["charged"]))
            self.tokens += record["tokens"]
        elif kind == "start":
            self._turn_to(record["boot"])

    def _turn_to(self, now: str | None) -> None:
        """Go on to a start: marks of an earlier one can be missed only while the machine has stayed up."""
        if now is None or now != self._boot:
            self._sent.update(self._open)
        self._boot = now

    def ambiguous(self, now: str | None) -> dict[str, dict[str, Any]]:
        """By key: the intents whose requests may have been sent; `now`: since when the machine is up."""
        self._turn_to(now)
        return {key: intent for key, intent in self._open.items() if key in self._sent}


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


def _known_cost(arm: dict[str, Any]) -> Decimal:
    """USD of a stored answer whose usage the endpoint has told."""
    told = arm.get("tokens")
    return Decimal(0) if told is None or told.get("estimated") else Decimal(arm.get("cost") or 0)


def boot() -> str | None:
    """Names the time since this machine was started; None where the system does not tell."""
    try:
        return BOOT.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


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
