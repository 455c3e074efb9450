"""One connection to an endpoint that speaks HTTP/1.1: a transport of httpx on asyncio, read by Node's parser, llhttp.

httpx's own transport reads answers in Python, event by event through six layers; most of a request's CPU is that. This
one does what a model's endpoint needs and no more: one request at a time, no proxy (httpx's own serves there), no
upgrade of the protocol. What goes wrong is raised as httpx's exceptions.
"""

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator
from typing import Final

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

LARGEST_HEAD: Final = 100 * 1024
"""Bytes of a status line and its headers, the same as httpx's own transport takes."""
KEEPALIVE: Final = 4.0
"""Seconds: shorter than the 5 s after which uvicorn and Node close an idle connection, perhaps under a request."""
NEXT_ADDRESS: Final = 0.25
"""Seconds after which the next address of a host is tried beside the first one (RFC 8305)."""

_REFUSED: Final = re.compile(r"\[Errno (\d+)\] Connect call failed")


class Line(httpx.AsyncBaseTransport):
    """Opened with its first request, and again where the server has closed it meanwhile. One request at a time."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._wire: _Wire | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request whose body is at hand; the answer as soon as its head is there.

        Raises httpx.ConnectTimeout after the request's own time for connecting, ConnectError, and what `_Body` does.
        """
        now = asyncio.get_running_loop().time()
        if self._wire is None or not self._wire.is_free(now):
            await self._open(request)
        assert self._wire is not None
        wire = self._wire
        try:
            wire.ask(request)
            await wire.head()
        except BaseException:
            wire.drop()
            raise
        return httpx.Response(wire.status, headers=wire.headers, stream=_Body(wire))

    async def aclose(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            self._wire.drop()
            await self._wire.closed

    async def _open(self, request: httpx.Request) -> None:
        url = request.url
        secure = url.scheme == "https"
        host = url.raw_host.decode("ascii").strip("[]")
        seconds = request.extensions.get("timeout", {}).get("connect")
        await self.aclose()
        try:
            async with asyncio.timeout(seconds):
                _, self._wire = await asyncio.get_running_loop().create_connection(
                    _Wire,
                    host,
                    url.port or (443 if secure else 80),
                    ssl=self._tls if secure else None,
                    server_hostname=host if secure else None,
                    happy_eyeballs_delay=NEXT_ADDRESS,
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection within {seconds} s") from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from _named(error)


class _Wire(asyncio.Protocol):
    """The bytes of a connection, and the answer that is being read from them."""

    def __init__(self) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        # One request at a time: however an answer's end is misread, no other answer is taken for a part of it.
        self._parser.set_dangerous_leniencies(
            lenient_chunked_length=True,
            lenient_data_after_close=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._head_bytes = 0
        self._has_head = False
        self._done = True
        self._stays = True
        """The server keeps the connection open after the answer."""
        self._free_since: float | None = asyncio.get_running_loop().time()

    # --- what the line asks for

    def is_free(self, now: float) -> bool:
        """Whether another request may be sent: the last answer was read to its end, and the server waits for more."""
        return self._free_since is not None and now - self._free_since < KEEPALIVE and not self.closed.done()

    def ask(self, request: httpx.Request) -> None:
        """Send a request."""
        assert self._transport is not None
        self._head_bytes, self._has_head, self._done, self._free_since = 0, False, False, None
        self.headers.clear()
        head = b"".join(b"%b: %b\r\n" % pair for pair in request.headers.raw)
        self._transport.write(
            b"%b %b HTTP/1.1\r\n%b\r\n%b"
            % (request.method.encode("ascii"), request.url.raw_path, head, request.content)
        )

    async def head(self) -> None:
        """Wait for the status and the headers."""
        while not self._has_head:
            await self._more()

    async def body(self) -> bytes:
        """What has come of the body since the last call, or comes next; nothing at its end."""
        while not self._pieces and not self._done:
            await self._more()
        found = b"".join(self._pieces)
        self._pieces.clear()
        return found

    def leave(self) -> None:
        """Nothing more is read of this answer: the connection is of use only if that was its end."""
        if not self._done or not self._stays or self._is_sending():
            self.drop()
        elif self._free_since is None:
            self._free_since = asyncio.get_running_loop().time()

    def drop(self) -> None:
        """Close the connection at once."""
        self._free_since = None
        if self._transport is not None:
            self._transport.abort()

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _is_sending(self) -> bool:
        """Whether the server has answered before it had the whole request."""
        return self._transport is None or bool(self._transport.get_write_buffer_size())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- what the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._done:  # nobody has asked
            return self.drop()
        self._head_bytes += 0 if self._has_head else len(data)
        try:
            self._parser.feed_data(data)
            if not self._has_head and self._head_bytes > LARGEST_HEAD:
                raise HttpParserError("the headers have no end")
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self._done:  # what follows an answer is no part of it
                self._fail(httpx.RemoteProtocolError(f"no HTTP: {error}"))
            self.drop()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._free_since = None
        if self._has_head and exc is None and self._error is None and not self._has_length():
            self._done = True  # an answer without a length ends with its connection
        if not self._done:
            self._fail(self._loss(exc))
        if not self.closed.done():
            self.closed.set_result(None)
        self._wake()

    def _loss(self, exc: Exception | None) -> Exception:
        if exc is not None:
            error = httpx.ReadError(str(exc))
            error.__cause__ = exc
            return error
        if self._has_head:
            return httpx.RemoteProtocolError("the connection was closed before the end of the answer")
        return httpx.RemoteProtocolError("the server disconnected without an answer")

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error

    def _has_length(self) -> bool:
        names = {name.lower() for name, _ in self.headers}
        return b"content-length" in names or b"transfer-encoding" in names

    # --- what the parser tells

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:  # what follows the body is none of them
            self.headers.append((name, value.strip()))

    def on_headers_complete(self) -> None:
        if self._done:
            return
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self._has_head = True
        else:  # a word in between, such as 103 Early Hints; the answer follows
            self.headers.clear()

    def on_body(self, body: bytes) -> None:
        if not self._done:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._done = self._has_head
        self._stays = self._parser.should_keep_alive()


class _Body(httpx.AsyncByteStream):
    """The body of an answer as it comes, all that has come in one piece.

    Raises httpx.ReadError where the connection breaks, RemoteProtocolError where what comes is no HTTP.
    """

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._wire.body():
            yield piece

    async def aclose(self) -> None:
        self._wire.leave()


def _named(error: OSError) -> BaseException:
    """What the system said of each address that was tried; asyncio puts its own words in place of that."""
    numbers = [int(number) for number in _REFUSED.findall(str(error))]
    return ExceptionGroup("no address", [OSError(each, os.strerror(each)) for each in numbers]) if numbers else error
