"""HTTP/1.1 on asyncio streams, as much as a rehearsal needs: h11 reads and writes the messages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, NamedTuple

import h11

_PIECE: Final = 1 << 16
Headers = Mapping[str, str]


class Request(NamedTuple):
    """A request as a server has read it; header names in lower case."""

    method: str
    path: str
    headers: Headers
    body: bytes


class Reply:
    """One answer of a server: whole with `send`, or in pieces with `begin`, `piece` and `end`."""

    def __init__(self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connection, self._reader, self._writer = connection, reader, writer

    async def begin(self, status: int, headers: Headers) -> None:
        """Send the head of an answer whose body follows in pieces."""
        await self._write(h11.Response(status_code=status, headers=[*headers.items(), ("connection", "close")]))

    async def piece(self, data: bytes) -> None:
        """Send a piece of the body."""
        await self._write(h11.Data(data=data))

    async def end(self) -> None:
        """End the body."""
        await self._write(h11.EndOfMessage())

    async def send(self, status: int, body: bytes, headers: Headers) -> None:
        """Send a whole answer."""
        head = [*headers.items(), ("content-length", str(len(body)))]
        await self._write(h11.Response(status_code=status, headers=head))
        await self.piece(body)
        await self.end()

    def abort(self) -> None:
        """Cut the connection off, as a crash would."""
        self._writer.transport.abort()

    async def until_closed(self, limit: float) -> None:
        """Say nothing until the other side hangs up, for `limit` seconds at most."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(limit):
                await self._reader.read()
        self.abort()

    async def _write(self, event: "h11.Response | h11.Data | h11.EndOfMessage") -> None:
        data = self._connection.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()


Handler = Callable[[Request, Reply], Awaitable[None]]


class Listening:
    """A server that gives every request to `handler`, one task a connection."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int, host: str = "127.0.0.1") -> None:
        """Listen. OSError where the port is taken."""
        self._server = await asyncio.start_server(self._talk, host, port, limit=1 << 20)

    def stop(self) -> None:
        """Refuse connections from now on and cut off those that are open."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        self._open.add(writer)
        try:
            while (request := await _read_request(connection, reader)) is not None:
                await self._handler(request, Reply(connection, reader, writer))
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    break
                connection.start_next_cycle()
        except (ConnectionError, h11.ProtocolError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._open.discard(writer)
            writer.close()


async def _read_request(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    head: h11.Request | None = None
    body: list[bytes] = []
    async for event in _events(connection, reader):
        if isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body.append(bytes(event.data))
    if head is None:
        return None
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    return Request(head.method.decode(), head.target.decode("latin-1"), headers, b"".join(body))


async def _events(connection: h11.Connection, reader: asyncio.StreamReader) -> AsyncIterator[h11.Event]:
    """The events of one message, its end left out; none where the other side has closed."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_PIECE))
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed) or event is h11.PAUSED:
            return
        elif isinstance(event, h11.Event):
            yield event


class Answer(NamedTuple):
    """The head of an answer; its body comes in pieces."""

    status: int
    headers: Headers


Listener = Callable[[bytes], None]


async def ask(
    port: int,
    request: Request,
    *,
    timeout: float,
    on_piece: Listener,
    host: str = "127.0.0.1",
) -> Answer:
    """Send a request and give the pieces of its answer to `on_piece`; returns when the answer has ended.

    ConnectionError where it ends early, TimeoutError where it takes longer than `timeout` seconds.
    """
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
        try:
            return await _converse(reader, writer, request, on_piece)
        finally:
            writer.transport.abort()


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request, on_piece: Listener
) -> Answer:
    connection = h11.Connection(h11.CLIENT)
    head = h11.Request(method=request.method, target=request.path, headers=list(request.headers.items()))
    out = [connection.send(head), connection.send(h11.Data(data=request.body)), connection.send(h11.EndOfMessage())]
    writer.write(b"".join(data for data in out if data))
    await writer.drain()
    answer: Answer | None = None
    try:
        async for event in _events(connection, reader):
            if isinstance(event, h11.Response):
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
                answer = Answer(event.status_code, headers)
            elif isinstance(event, h11.Data):
                on_piece(bytes(event.data))
    except h11.RemoteProtocolError as error:
        raise ConnectionError(str(error)) from None
    if answer is None:
        raise ConnectionError("closed without an answer")
    return answer
