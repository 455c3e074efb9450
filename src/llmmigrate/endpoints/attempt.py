"""One time that a request is sent: the bytes out, the bytes in, and what went wrong."""

import asyncio
import time
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import msgspec

from llmmigrate.endpoints import failures, waits
from llmmigrate.endpoints.clock import Clock
from llmmigrate.endpoints.dialects import Dialect, Glimpse
from llmmigrate.endpoints.events import EventReader
from llmmigrate.endpoints.exchange import Attempt, Failure, Timeouts

LARGEST_ANSWER: Final = 32 * 1024 * 1024
"""Bytes after which an answer is taken for one that does not end."""
LARGEST_ERROR: Final = 64 * 1024
"""Bytes of an error that are read; the rest says nothing new."""
GRACE: Final = 5.0
"""Seconds that a stream may stay open after the model's last word, for its usage and its end."""
SLACK: Final = 0.02
"""Seconds by which a wait may end too early or too late: to set a timer anew takes longer than to read an event."""

_decode: Final = msgspec.json.Decoder().decode
_STREAM_STARTS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt, and what came of the answer."""

    attempt: Attempt
    body: dict[str, Any] | None
    events: tuple[dict[str, Any], ...]


class _UnusableError(Exception):
    """The answer came and cannot be used."""

    def __init__(self, failure: Failure, said: str) -> None:
        super().__init__(said)
        self.failure = failure
        self.said = said


@dataclass(slots=True)
class _Reading:
    """What is known of an answer so far; instants are those of the loop's clock."""

    dialect: Dialect
    streamed: bool
    timeouts: Timeouts
    began: float
    ended: float
    first_token: float | None = None
    visible: bool = False
    finish: str | None = None
    over: bool = False
    status: int | None = None
    retry_after: float | None = None
    body: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    error_body: bytes = b""

    @property
    def spoken(self) -> bool:
        """Whether the model has said its last word: what is missing then is only the stream's own end."""
        return self.over or self.finish is not None

    @property
    def refused(self) -> bool:
        """Whether the endpoint has answered, and not with success."""
        return self.status is not None and not 200 <= self.status < 300

    def deadline(self, now: float) -> float:
        """Until when the next bytes must come."""
        last = self.began + self.timeouts.total
        if self.spoken:
            return min(last, now + GRACE)
        if not self.streamed:
            return last
        if self.first_token is None and not self.refused:
            return min(last, self.began + self.timeouts.first_token)
        return min(last, now + self.timeouts.read)

    def note(self, glimpse: Glimpse, now: float) -> None:
        """Adds what one event, or the whole answer, tells."""
        begun, visible, finish, over, error = glimpse
        self.ended = now
        if error is not None:
            raise _UnusableError(failures.of_answer(self.status or 200, error), failures.message(error))
        if begun and self.first_token is None:
            self.first_token = now
        self.visible = self.visible or visible
        self.finish = finish or self.finish
        self.over = self.over or over

    def verdict(self) -> tuple[Failure | None, str]:
        """What an answer that came to its end is."""
        if self.finish in self.dialect.FILTERED:
            return "content_filter", f"the answer was held back: {self.finish}"
        if not self.visible:
            return "empty", f"no text and no tool call (finish reason: {self.finish or 'none'})"
        return None, ""


class _Events:
    """An answer that comes as a stream of events."""

    def __init__(self, reading: _Reading) -> None:
        self._reading = reading
        self._reader = EventReader()

    def feed(self, chunk: bytes, now: float) -> None:
        for data in self._reader.feed(chunk):
            if not self._take(data, now) and data.strip():
                # Not what it holds: that may be a part of somebody's text.
                raise _UnusableError("malformed", f"an event of {len(data):,} bytes that is no JSON object")

    def close(self, now: float) -> None:
        for data in self._reader.close():  # cut in the middle of an event, or only the last empty line is missing
            self._take(data, now)
        if not self._reading.spoken:
            raise _UnusableError("truncated_stream", "the stream ended without a reason to stop")

    def _take(self, data: bytes, now: float) -> bool:
        """Whether this is an event, or the word that ends a stream."""
        reading = self._reading
        if data.strip() == b"[DONE]":
            reading.note(Glimpse(over=True), now)
            return True
        event = _json(data)
        if not isinstance(event, dict):
            return False
        reading.events.append(event)
        reading.note(reading.dialect.of_event(event), now)
        return True


class _Whole:
    """An answer that comes in one piece."""

    def __init__(self, reading: _Reading) -> None:
        self._reading = reading
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes, now: float) -> None:
        self._reading.ended = now
        self._chunks.append(chunk)

    def close(self, now: float) -> None:
        text = b"".join(self._chunks)
        body = _decoded(text)
        if body is None:
            raise _UnusableError("malformed", f"no JSON object, but {_excerpt(text)}")
        glimpse = self._reading.dialect.of_whole(body)
        if glimpse == Glimpse():
            raise _UnusableError("malformed", f"no answer of this kind of API, but an object of {', '.join(body)}")
        self._reading.body = body
        self._reading.note(glimpse, self._reading.ended)
        self._reading.first_token = None  # it came at once with everything else


async def attempt(
    http: httpx.AsyncBaseTransport,
    request: httpx.Request,
    *,
    dialect: Dialect,
    stream: bool,
    timeouts: Timeouts,
    key: str | None,
    clock: Clock,
) -> Tried:
    """Sends a request once and reads the answer to its end; every fault of the other side ends in a failure."""
    began = _now()
    started_ns = clock.moment(began)
    reading = _Reading(dialect, stream, timeouts, began, began)
    failure, said = await _outcome(http, request, reading)
    made = Attempt(
        started_ns=started_ns,
        latency_ms=(reading.ended - began) * 1000,
        ttft_ms=None if reading.first_token is None else (reading.first_token - began) * 1000,
        status=reading.status,
        failure=failure,
        detail=failures.shown(said, key),
        retry_after=reading.retry_after,
    )
    return Tried(made, reading.body, tuple(reading.events))


async def _outcome(
    http: httpx.AsyncBaseTransport, request: httpx.Request, reading: _Reading
) -> tuple[Failure | None, str]:
    """Why there is no answer, and what is said about it; None for success."""
    try:
        await _exchange(http, request, reading)
        return _refusal(reading) if reading.refused else reading.verdict()
    except _UnusableError as error:
        failure, said = error.failure, error.said
    except TimeoutError:
        failure, said = _timed_out(reading)
    except (httpx.HTTPError, httpx.StreamError, OSError) as error:
        failure, said = _broken(reading, error)
    if reading.refused:
        return _refusal(reading)
    if reading.spoken and failure in ("truncated_stream", "timeout_read", "timeout_total"):
        return reading.verdict()
    reading.ended = _now()
    return failure, said


async def _exchange(http: httpx.AsyncBaseTransport, request: httpx.Request, reading: _Reading) -> None:
    async with asyncio.timeout_at(reading.deadline(reading.began)) as timer:
        response = await http.handle_async_request(request)
        try:
            reading.status = response.status_code
            reading.ended = _now()
            if reading.refused:
                reading.retry_after = waits.asked(response.headers, time.time())
                await _read_error(response, reading)
            else:
                await _read(response, reading, timer)
        finally:
            await response.aclose()


async def _read(response: httpx.Response, reading: _Reading, timer: asyncio.Timeout) -> None:
    """Reads to the end of the answer, also past its last word: a connection that is read to its end is used again."""
    parts: _Events | _Whole | None = None
    size = 0
    async for chunk in _pieces(response):
        now = _now()
        if parts is None:
            reading.streamed = _is_stream(response.headers.get("content-type", ""), chunk)
            parts = _Events(reading) if reading.streamed else _Whole(reading)
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise _UnusableError("malformed", f"more than {LARGEST_ANSWER // 1024**2} MiB without an end")
        parts.feed(chunk, now)
        due = reading.deadline(now)
        if abs(due - (timer.when() or 0.0)) > SLACK:
            timer.reschedule(due)
    if parts is None:
        raise _UnusableError("empty", "an answer without a body")
    parts.close(_now())


def _pieces(response: httpx.Response) -> AsyncIterable[bytes]:
    """The bytes of an answer as they come; without httpx's decoders where nothing is to be decoded."""
    if "content-encoding" in response.headers:
        return response.aiter_bytes()
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return response.stream


async def _read_error(response: httpx.Response, reading: _Reading) -> None:
    location = response.headers.get("location")
    if location:
        reading.error_body = f"it has moved to {location}: set base_url".encode()
        return
    async for chunk in response.aiter_bytes():
        reading.error_body += chunk
        if len(reading.error_body) > LARGEST_ERROR:
            return


def _refusal(reading: _Reading) -> tuple[Failure, str]:
    text = reading.error_body[:LARGEST_ERROR]
    body = _json(text)
    body = text.decode(errors="replace") if body is None else body
    status = reading.status or 0
    return failures.of_answer(status, body), failures.message(body) or f"HTTP {status}"


def _timed_out(reading: _Reading) -> tuple[Failure, str]:
    waits_for = reading.timeouts
    if (reading.status is None and not reading.streamed) or _now() >= reading.began + waits_for.total - SLACK:
        return "timeout_total", f"no whole answer within {waits_for.total:g} s"
    if reading.first_token is None:
        return "timeout_first_token", f"no content within {waits_for.first_token:g} s"
    return "timeout_read", f"nothing for {waits_for.read:g} s in the middle of the answer"


def _broken(reading: _Reading, error: Exception) -> tuple[Failure, str]:
    if isinstance(error, httpx.ConnectTimeout):
        return "timeout_connect", f"no connection within {reading.timeouts.connect:g} s"
    if isinstance(error, httpx.LocalProtocolError):
        return "ours", str(error)
    found = failures.of_error(error)
    if found == "ours":
        return found, failures.reason(error)
    if isinstance(error, httpx.DecodingError) or _is_garbage(reading, error):
        return "malformed", str(error)
    if reading.status is not None:
        return "truncated_stream", f"the connection broke in the middle of the answer: {error}"
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError):
        return "disconnected", failures.reason(error)
    return found, failures.reason(error)


def _is_garbage(reading: _Reading, error: Exception) -> bool:
    """Whether what came in place of an answer was no HTTP."""
    return isinstance(error, httpx.RemoteProtocolError) and reading.status is None and "disconnected" not in str(error)


def _is_stream(content_type: str, head: bytes) -> bool:
    """Whether a body is a stream of events: as declared, else as it looks, for servers that declare the wrong thing."""
    if "json" in content_type:
        return False
    return "event-stream" in content_type or head.lstrip().startswith(_STREAM_STARTS)


def _decoded(data: bytes) -> dict[str, Any] | None:
    value = _json(data)
    return value if isinstance(value, dict) else None


def _json(data: bytes) -> Any:
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _excerpt(data: bytes) -> str:
    return data[:120].decode(errors="replace")


def _now() -> float:
    return asyncio.get_running_loop().time()
