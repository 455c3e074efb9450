"""One request and its answer as they passed by, and the call that they amount to. Headers never get this far."""

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from llmmigrate.logs import streams
from llmmigrate.logs.formats import http_capture
from llmmigrate.logs.writing import timestamp
from llmmigrate.usage.call import Call

HEAD: Final = 16 << 20
"""Bytes of an answer that are kept from its beginning, …"""
TAIL: Final = 1 << 20
"""… and from its end: a stream tells its model first and its usage last."""
READABLE: Final = ("identity", "gzip", "deflate", "zstd")
_LAST_EVENTS: Final = ('"message_stop"', *(f'"{kind}"' for kind in streams.CLOSING_EVENTS))
_MARKS_WITHIN: Final = 512
"""Characters of an event in which its kind stands."""
_NS_A_MS: Final = 1_000_000


class Body:
    """The bytes of an answer as far as they are kept."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._held = 0
        self.cut = False

    def add(self, chunk: bytes) -> None:
        """Keep a chunk."""
        room = HEAD - len(self._head)
        if room > 0 and not self._tail:
            self._head += chunk[:room]
            chunk = chunk[room:]
        if chunk:
            self._tail.append(chunk)
            self._held += len(chunk)
        while self._held > TAIL + len(self._tail[0] if self._tail else b""):
            self._held -= len(self._tail.popleft())
            self.cut = True

    def data(self) -> bytes:
        """What was kept; where the middle is missing, whole lines of both ends."""
        end = b"".join(self._tail)
        if not self.cut:
            return bytes(self._head) + end
        return bytes(self._head[: self._head.rfind(b"\n") + 1]) + end[end.find(b"\n") + 1 :]


@dataclass(slots=True, eq=False)
class Exchange:
    """One request and what became of it; instants in nanoseconds since the Unix epoch."""

    url: str
    """Without its query, which may hold a key."""
    request: bytes
    started_ns: int
    first_ns: int | None = None
    """When the first byte of the answer's body came."""
    ended_ns: int | None = None
    """When it ended, None where nobody saw that."""
    status: int | None = None
    content_type: str = ""
    encoding: str = ""
    body: Body = field(default_factory=Body)
    failure: str | None = None
    """`upstream_closed` or `upstream_unreachable`; None when the answer came to its end, or the client left off."""
    left: bool = False
    """Whether the client left off reading, which is a failure unless it had read the last event."""

    def add(self, chunk: bytes, now_ns: int) -> None:
        """Note a part of the answer's body."""
        if self.first_ns is None:
            self.first_ns = now_ns
        self.body.add(chunk)

    def text(self) -> str:
        """The answer as far as it is kept, without its encoding; empty where that cannot be read."""
        data = self.body.data()
        try:
            match self.encoding.lower():
                case "gzip" | "deflate" | "x-gzip":
                    data = zlib.decompressobj(wbits=47).decompress(data)
                case "zstd":
                    import zstandard

                    data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        except (zlib.error, ValueError, MemoryError):
            return ""
        except Exception as error:
            if type(error).__name__ != "ZstdError":
                raise
            return ""
        return data.decode(errors="replace")

    def error(self) -> str | None:
        """The failure, which is `client_closed` where the client left off before all was said."""
        left_early = self.failure is None and self.left and not self._said_all()
        return "client_closed" if left_early else self.failure

    def _said_all(self) -> bool:
        """Whether a stream came to its last event: clients leave off reading there.

        What OpenAI's Responses API says last holds the whole answer again, so the event is looked for by its beginning.
        """
        events = self.text().replace("\r\n", "\n")
        last = events.rstrip("\n").rpartition("\n\n")[2]
        if last.removeprefix("data:").strip() == "[DONE]":
            return True
        return events.endswith("\n") and any(mark in last[:_MARKS_WITHIN] for mark in _LAST_EVENTS)


def call_of(exchange: Exchange, *, keep_text: bool) -> Call | None:
    """The call, None for what is no call of a model (such as a list of models)."""
    record: dict[str, Any] = {
        "timestamp": timestamp(exchange.started_ns),
        "url": exchange.url,
        "request": _json(exchange.request),
        "response": {"status": exchange.status, "body": exchange.text()},
    }
    if exchange.ended_ns is not None:
        record["latency_ms"] = (exchange.ended_ns - exchange.started_ns) / _NS_A_MS
    if exchange.first_ns is not None and "event-stream" in exchange.content_type:
        record["ttft_ms"] = (exchange.first_ns - exchange.started_ns) / _NS_A_MS
    if (error := exchange.error()) is not None:
        record["error"] = error
    found = next(iter(http_capture.read(record, keep_text=keep_text)))
    return found if isinstance(found, Call) else None


def without_query(url: str) -> str:
    """A URL without user, query and fragment."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def readable(accepted: str) -> str:
    """The encodings of an Accept-Encoding header that a recording can read, too."""
    names = [part.strip() for part in accepted.split(",")]
    return ", ".join(name for name in names if name.partition(";")[0] in READABLE) or "identity"


def _json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
