"""An httpx transport that lets everything pass and records it; for httpx and httpx2, synchronous and asynchronous."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from llmmigrate.logs.redaction import redacted
from llmmigrate.recording.exchange import Exchange, readable, without_query
from llmmigrate.recording.recorder import Clean, Recorder


class Transport:
    """Records what a client sends and receives through it.

    `target` is a file to add records to, or a `Recorder`. `inner` is the transport that does the work; without it,
    that of the library which the client comes from (httpx or httpx2), with its defaults. `keep_text` and `clean` are
    those of a recorder: kept text is redacted, as `record --keep-text` does, unless `clean` does something else.
    """

    def __init__(
        self,
        target: str | Path | Recorder,
        *,
        inner: Any = None,
        keep_text: bool = False,
        clean: Clean | None = redacted,
    ) -> None:
        self.recorder = target if isinstance(target, Recorder) else Recorder(target, keep_text=keep_text, clean=clean)
        self._owns = not isinstance(target, Recorder)
        self._inner = inner
        self._made: list[Any] = []

    def handle_request(self, request: Any) -> Any:
        """Send a request of a synchronous client."""
        library = _library_of(request)
        exchange = self._begun(request, request.read())
        try:
            response = self._working(library, "HTTPTransport").handle_request(request)
        except BaseException as error:
            self._give_up(exchange, error)
            raise
        _answered(exchange, response)
        response.stream = _streams(library)[0](response.stream, exchange, self.recorder)
        return response

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request of an asynchronous client."""
        library = _library_of(request)
        exchange = self._begun(request, await request.aread())
        try:
            response = await self._working(library, "AsyncHTTPTransport").handle_async_request(request)
        except BaseException as error:  # a cancelled task, too: its call may be billed all the same
            self._give_up(exchange, error)
            raise
        _answered(exchange, response)
        response.stream = _streams(library)[1](response.stream, exchange, self.recorder)
        return response

    def close(self) -> None:
        """Close the connections, and the file if this transport opened it."""
        for made in self._made:
            made.close()
        self._close_recorder()

    async def aclose(self) -> None:
        """Close the connections, and the file if this transport opened it."""
        for made in self._made:
            await made.aclose()
        self._close_recorder()

    def __enter__(self) -> "Transport":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> "Transport":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _working(self, library: ModuleType, name: str) -> Any:
        if self._inner is None:
            self._inner = getattr(library, name)()
            self._made.append(self._inner)
        return self._inner

    def _begun(self, request: Any, body: bytes) -> Exchange:
        request.headers["accept-encoding"] = readable(request.headers.get("accept-encoding", "identity"))
        exchange = Exchange(without_query(str(request.url)), body, time.time_ns())
        self.recorder.begin(exchange)
        return exchange

    def _give_up(self, exchange: Exchange, error: BaseException) -> None:
        """There is no answer: the library says why not, or the client waits no longer."""
        if isinstance(error, Exception):
            self.recorder.end(exchange, failure="upstream_unreachable")
        else:
            self.recorder.end(exchange, left=True)

    def _close_recorder(self) -> None:
        if self._owns:
            self.recorder.close()


def _library_of(request: Any) -> ModuleType:
    """The library that made the request: httpx or httpx2."""
    return import_module(type(request).__module__.partition(".")[0])


def _answered(exchange: Exchange, response: Any) -> None:
    exchange.status = response.status_code
    exchange.content_type = response.headers.get("content-type", "")
    exchange.encoding = response.headers.get("content-encoding", "")


@cache
def _streams(library: ModuleType) -> tuple[Any, Any]:
    """The two streams of a library, which takes only its own kinds of them for an answer's body."""

    class Recorded(library.SyncByteStream):  # type: ignore[name-defined, misc]
        """Passes a body on, chunk for chunk, and notes it."""

        def __init__(self, stream: Any, exchange: Exchange, recorder: Recorder) -> None:
            self._stream, self._exchange, self._recorder = stream, exchange, recorder

        def __iter__(self) -> Iterator[bytes]:
            with _read(self._exchange, self._recorder):
                for chunk in self._stream:
                    self._exchange.add(chunk, time.time_ns())
                    yield chunk

        def close(self) -> None:
            with _closed(self._exchange, self._recorder):
                self._stream.close()

    class AsyncRecorded(library.AsyncByteStream):  # type: ignore[name-defined, misc]
        """Passes a body on, chunk for chunk, and notes it."""

        def __init__(self, stream: Any, exchange: Exchange, recorder: Recorder) -> None:
            self._stream, self._exchange, self._recorder = stream, exchange, recorder

        async def __aiter__(self) -> AsyncIterator[bytes]:
            with _read(self._exchange, self._recorder):
                async for chunk in self._stream:
                    self._exchange.add(chunk, time.time_ns())
                    yield chunk

        async def aclose(self) -> None:
            with _closed(self._exchange, self._recorder):
                await self._stream.aclose()

    return Recorded, AsyncRecorded


@contextmanager
def _read(exchange: Exchange, recorder: Recorder) -> Iterator[None]:
    """The body is read within the block, to its end unless something is raised.

    What is no `Exception` is the client's: its generator is closed, its task cancelled, its program interrupted.
    """
    try:
        yield
    except Exception:
        recorder.end(exchange, failure="upstream_closed")
        raise
    except BaseException:
        recorder.end(exchange, left=True)
        raise
    recorder.end(exchange)


@contextmanager
def _closed(exchange: Exchange, recorder: Recorder) -> Iterator[None]:
    """The stream is closed within the block: the client wants no more of a body that it has not read to its end."""
    try:
        yield
    finally:
        recorder.end(exchange, left=True)
