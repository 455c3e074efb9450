"""The transport of our own against httpx's: real sockets, and whatever bytes a server may send."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.rollout.tls import signed

from llmmigrate.endpoints.line import KEEPALIVE, LARGEST_HEAD, Line

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
OK = b"HTTP/1.1 200 OK\r\n"
Read = tuple[int, bytes, str | None]
"""Status, body, and the header `x`."""


class Server:
    """Sends the same bytes for each request; keeps the connection open unless `close`."""

    def __init__(self, answer: bytes, *, close: bool = False, reads: bool = True, piece: int = 1 << 30) -> None:
        self.answer, self.close, self.reads, self.piece = answer, close, reads, piece
        self.connections = 0
        self.requests: list[bytes] = []
        self.ended = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if self.reads:
                    length = next(
                        int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                    )
                    self.requests.append(head + await reader.readexactly(length))
                for start in range(0, len(self.answer), self.piece):
                    writer.write(self.answer[start : start + self.piece])
                    await writer.drain()
                    await asyncio.sleep(0)
                if self.close or not self.reads:
                    break
        self.ended += 1
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def listening(server: Server, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    served: set[asyncio.Task[None]] = set()
    listener = await asyncio.start_server(
        lambda reader, writer: served.add(asyncio.ensure_future(server.serve(reader, writer))), "127.0.0.1", 0, ssl=tls
    )
    async with listener:
        scheme = "http" if tls is None else "https"
        server.url = f"{scheme}://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1/x?a=b"
        yield server
        for task in served:
            task.cancel()
        await asyncio.gather(*served)


def request(url: str, body: bytes = b"{}") -> httpx.Request:
    return httpx.Request("POST", url, content=body, extensions={"timeout": {"connect": 10.0, "read": 10.0}})


async def read(line: httpx.AsyncBaseTransport, asked: httpx.Request) -> Read:
    async with asyncio.timeout(20):
        response = await line.handle_async_request(asked)
        try:
            body = b"".join([piece async for piece in response.aiter_bytes()])
        finally:
            await response.aclose()
    return response.status_code, body, response.headers.get("x")


def run(work: Callable[[], Awaitable[Read]]) -> Read | type[Exception]:
    async def outcome() -> Read | type[Exception]:
        try:
            return await work()
        except httpx.HTTPError as error:
            return type(error)

    return asyncio.run(outcome())


def both(answer: bytes, *, close: bool = False) -> tuple[Read | type[Exception], Read | type[Exception]]:
    """What a line reads, and what httpx's own transport does."""

    def by(make: Callable[[], httpx.AsyncBaseTransport]) -> Read | type[Exception]:
        async def work() -> Read:
            async with listening(Server(answer, close=close)) as server, make() as line:
                return await read(line, request(server.url))

        return run(work)

    return by(lambda: Line(NO_TLS)), by(lambda: httpx.AsyncHTTPTransport(verify=NO_TLS))


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"content-length: 5\r\nx: 1\r\n\r\nhello",
        OK + b"Content-Length:5\r\nX:  1 \r\n\r\nhello",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nx: 2\r\n\r\n",
        OK + b"transfer-encoding: Chunked\r\ncontent-length: 99\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 5\r\n\r\nhello",
        b"HTTP/1.1 103 Early Hints\r\nx: no\r\nlink: </a>\r\n\r\n" + OK + b"content-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 204 No Content\r\nx: 1\r\n\r\n",
        b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 5\nx: 1\n\nhello",
        OK + b"x: \xe9\r\ncontent-length: 5\r\n\r\nhello",
        OK + b"content-length: 5\r\n\r\nhello and more than was said",
    ],
)
def test_an_answer_is_read_as_httpx_reads_it(answer: bytes) -> None:
    ours, theirs = both(answer)
    assert isinstance(ours, tuple)
    assert ours == theirs


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"\r\nhello",
        b"HTTP/1.0 200 OK\r\nx: 1\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        OK + b"connection: close\r\n\r\n",
    ],
)
def test_the_end_of_the_connection_ends_an_answer_without_a_length(answer: bytes) -> None:
    ours, theirs = both(answer, close=True)
    assert isinstance(ours, tuple)
    assert ours == theirs


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 20",
        OK + b"content-len",
        OK + b"content-length: 50\r\n\r\nhello",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhel",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"<html>" + b"x" * 500,
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        OK + b"x: " + b"y" * (LARGEST_HEAD + 1),
    ],
)
def test_what_is_no_whole_answer_is_an_error(answer: bytes) -> None:
    ours, theirs = both(answer, close=True)
    assert ours is httpx.RemoteProtocolError
    assert isinstance(theirs, type) or answer.startswith(b"HTTP/1.1 101")  # httpx hands over what has been upgraded


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (OK + b"content-length: 2\r\n\r\nok", 1),
        (OK + b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 1),
        (OK + b"content-length: 2\r\nconnection: close\r\n\r\nok", 3),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 3),
        (OK + b"content-length: 2\r\n\r\nok, and what nobody asked for", 3),
    ],
)
def test_a_connection_is_used_again_if_the_server_keeps_it(answer: bytes, connections: int) -> None:
    async def work() -> Read:
        async with listening(Server(answer)) as server, Line(NO_TLS) as line:
            for _ in range(3):
                found = await read(line, request(server.url, b'{"a": 1}'))
            assert server.connections == connections
            assert all(sent.startswith(b"POST /v1/x?a=b HTTP/1.1\r\n") for sent in server.requests)
            assert all(sent.endswith(b'\r\n\r\n{"a": 1}') for sent in server.requests)
        return found

    assert run(work) == (200, b"ok", None)


def test_a_connection_that_the_server_has_closed_is_opened_again() -> None:
    async def work() -> Read:
        async with listening(Server(OK + b"content-length: 2\r\n\r\nok", close=True)) as server, Line(NO_TLS) as line:
            for count in range(1, 4):
                found = await read(line, request(server.url))
                while server.ended < count:
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0.01)
            assert server.connections == 3
        return found

    assert run(work) == (200, b"ok", None)


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> Read:
        loop = asyncio.get_running_loop()
        async with listening(Server(OK + b"content-length: 2\r\n\r\nok")) as server, Line(NO_TLS) as line:
            await read(line, request(server.url))
            now = loop.time()
            monkeypatch.setattr(loop, "time", lambda: now + KEEPALIVE + 1)
            found = await read(line, request(server.url))
            monkeypatch.undo()
            assert server.connections == 2
        return found

    assert run(work) == (200, b"ok", None)


def test_an_answer_that_is_not_read_to_its_end_costs_the_connection() -> None:
    async def work() -> Read:
        async with listening(Server(OK + b"content-length: 20\r\n\r\nhello")) as server, Line(NO_TLS) as line:
            for count in range(2):
                response = await line.handle_async_request(request(server.url))
                await response.aclose()
                while server.ended <= count:  # the server sees it at once
                    await asyncio.sleep(0.001)
            assert server.connections == 2
        return 200, b"", None

    assert run(work)[0] == 200  # type: ignore[index]


def test_a_request_that_is_given_up_costs_the_connection() -> None:
    async def work() -> Read:
        async with listening(Server(b"")) as server, Line(NO_TLS) as line:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await line.handle_async_request(request(server.url))
            while not server.ended:
                await asyncio.sleep(0.001)
            server.answer = OK + b"content-length: 2\r\n\r\nok"
            return await read(line, request(server.url))

    assert run(work) == (200, b"ok", None)


def test_an_answer_before_the_request_is_read_is_an_answer() -> None:
    """A server that refuses a large request need not read it."""

    async def work() -> Read:
        answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig"
        async with listening(Server(answer, reads=False)) as server, Line(NO_TLS) as line:
            return await read(line, request(server.url, b"x" * 200_000))

    assert run(work) == (413, b"big", None)


@pytest.mark.parametrize("piece", [1, 2, 7])
def test_it_does_not_matter_where_the_network_cuts(piece: int) -> None:
    async def work() -> Read:
        answer = OK + b"transfer-encoding: chunked\r\nx: 1\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
        async with listening(Server(answer, piece=piece)) as server, Line(NO_TLS) as line:
            for _ in range(2):
                found = await read(line, request(server.url))
            assert server.connections == 1
        return found

    assert run(work) == (200, b"hello world", "1")


def test_a_long_answer_comes_in_pieces_as_it_was_sent() -> None:
    text = b"0123456789" * 400_000

    async def work() -> Read:
        answer = OK + b"content-length: %d\r\n\r\n" % len(text) + text
        async with listening(Server(answer)) as server, Line(NO_TLS) as line:
            for _ in range(2):
                found = await read(line, request(server.url, text))
            assert server.requests[1].endswith(text)
            assert server.connections == 1
        return found

    assert run(work) == (200, text, None)


@pytest.mark.parametrize("name", ["localhost", "elsewhere.example"])
def test_tls_with_authorities_of_the_environment(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = signed(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)

    async def work() -> Read:
        server = Server(OK + b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        async with listening(server, tls), Line(httpx.create_ssl_context()) as line:
            for _ in range(2):
                found = await read(line, request(server.url.replace("127.0.0.1", "localhost")))
            assert server.connections == 1
        return found

    assert run(work) == ((200, b"ok", None) if name == "localhost" else httpx.ConnectError)


def test_nobody_listens() -> None:
    """On every address of a name, each of which asyncio describes in words of its own."""

    async def work() -> Read:
        async with listening(Server(b"")) as server:
            url = server.url.replace("127.0.0.1", "localhost")
        async with Line(NO_TLS) as line:
            return await read(line, request(url))

    with pytest.raises(httpx.ConnectError) as caught:
        asyncio.run(work())
    cause = caught.value.__cause__
    assert isinstance(cause, ExceptionGroup)
    assert {str(error.errno) for error in cause.exceptions if isinstance(error, OSError)} <= {"111", "61", "99"}
