"""A model endpoint that misbehaves on request: real sockets, standard library only.

    with FaultServer("status:500", "cut_mid_stream") as server:     # the first two requests, then all is well
        ...  # server.base_url, server.requests

It speaks the three dialects and embeddings by their paths. A behaviour is a function in `BEHAVIOURS` that gives steps:
bytes that are written, seconds that are waited, or CUT, which closes the connection. `name:argument` passes the
argument.
As a process: `python tests/endpoints/fault_server.py --port 8001 --share status:500=0.3 --share empty=0.05`.
"""

import argparse
import dataclasses
import json
import random
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Literal, Self

Cut = Literal["cut"]
CUT: Final[Cut] = "cut"
HANG: Final = float("inf")
Step = bytes | float | Cut
WORDS: Final = ("The ", "answer ", "is ", "forty-two.")
USAGE: Final = (11, 7, 3)
"""Tokens of every answer: prompt, reply, and how many of the reply are reasoning."""


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    number: int
    at: float
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    words: tuple[str, ...] = WORDS

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @property
    def dialect(self) -> str:
        ends = (("/messages", "anthropic"), ("/responses", "responses"), ("/embeddings", "embeddings"))
        for end, dialect in ends:
            if self.path.endswith(end):
                return dialect
        return "chat"


Behaviour = Callable[[Asked, str], Iterator[Step]]


# --- answers of the three dialects --------------------------------------------------------------------------------


def whole(asked: Asked, *, finish: str | None = None, words: tuple[str, ...] | None = None) -> dict[str, Any]:
    """An answer in one piece."""
    text = "".join(asked.words if words is None else words)
    prompt, reply, reasoning = USAGE
    model = asked.body.get("model", "")
    if asked.dialect == "embeddings":
        return _embedded(asked.body["input"], model)
    if asked.dialect == "anthropic":
        content = [{"type": "text", "text": text}] if text else []
        usage = {"input_tokens": prompt, "output_tokens": reply}
        return {"id": f"msg_{asked.number}", "type": "message", "role": "assistant", "model": model, "content": content,
                "stop_reason": finish or "end_turn", "usage": usage}  # fmt: skip
    if asked.dialect == "responses":
        output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}]
        details = {"output_tokens_details": {"reasoning_tokens": reasoning}}
        counts: dict[str, Any] = {"input_tokens": prompt, "output_tokens": reply, **details}
        return {"id": f"resp_{asked.number}", "object": "response", "created_at": int(asked.at), "model": model,
                "status": finish or "completed", "output": output if text else [], "usage": counts}  # fmt: skip
    message = {"role": "assistant", "content": text}
    return {"id": f"chatcmpl-{asked.number}", "object": "chat.completion", "created": int(asked.at), "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish or "stop"}],
            "usage": _chat_usage()}  # fmt: skip


def _embedded(texts: list[str], model: str) -> dict[str, Any]:
    """Vectors that count words, each in one of 64 places; the last text comes first."""
    data = []
    for index, text in enumerate(texts):
        vector = [0.0] * 64
        for word in text.split():
            vector[zlib.crc32(word.encode()) % 64] += 1.0
        data.append({"object": "embedding", "index": index, "embedding": vector})
    tokens = sum(len(text.split()) for text in texts)
    return {"object": "list", "data": data[::-1], "model": model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}  # fmt: skip


def _chat_usage() -> dict[str, Any]:
    prompt, reply, reasoning = USAGE
    return {"prompt_tokens": prompt, "completion_tokens": reply, "total_tokens": prompt + reply,
            "completion_tokens_details": {"reasoning_tokens": reasoning}}  # fmt: skip


def opening(asked: Asked) -> list[bytes]:
    """The events of a stream before its first content."""
    if asked.dialect == "anthropic":
        start = whole(asked) | {"content": [], "stop_reason": None}
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        return [_event({"type": "message_start", "message": start}), _event({"type": "ping"}), _event(block)]
    if asked.dialect == "responses":
        response = whole(asked) | {"output": [], "status": "in_progress", "usage": None}
        return [_event({"type": "response.created", "response": response})]
    return [_chat_event(asked, {"role": "assistant", "content": ""})]


def content(asked: Asked, *, reasoning: bool = False) -> list[bytes]:
    """One event for each word."""
    if asked.dialect == "anthropic":
        name, kind = ("thinking", "thinking_delta") if reasoning else ("text", "text_delta")
        return [
            _event({"type": "content_block_delta", "index": 0, "delta": {"type": kind, name: word}})
            for word in asked.words
        ]
    if asked.dialect == "responses":
        kind = "response.reasoning_summary_text.delta" if reasoning else "response.output_text.delta"
        return [_event({"type": kind, "output_index": 0, "delta": word}) for word in asked.words]
    name = "reasoning_content" if reasoning else "content"
    return [_chat_event(asked, {name: word}) for word in asked.words]


def finish(asked: Asked, reason: str | None = None) -> list[bytes]:
    """The events that tell why the model stopped."""
    if asked.dialect == "anthropic":
        usage = {"output_tokens": USAGE[1]}
        return [_event({"type": "message_delta", "delta": {"stop_reason": reason or "end_turn"}, "usage": usage})]
    if asked.dialect == "responses":
        return [_event({"type": "response.completed", "response": whole(asked, finish=reason)})]
    return [_chat_event(asked, {}, reason or "stop")]


def usage(asked: Asked) -> list[bytes]:
    """The usage, where it is an event of its own and was asked for."""
    options = asked.body.get("stream_options")
    if asked.dialect != "chat" or not (isinstance(options, dict) and options.get("include_usage")):
        return []
    return [_event({"id": "x", "object": "chat.completion.chunk", "choices": [], "usage": _chat_usage()})]


def closing(asked: Asked) -> list[bytes]:
    """The very last event."""
    if asked.dialect == "anthropic":
        return [_event({"type": "message_stop"})]
    return [] if asked.dialect == "responses" else [b"data: [DONE]\n\n"]


def _chat_event(asked: Asked, delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return _event({"id": f"chatcmpl-{asked.number}", "object": "chat.completion.chunk", "created": int(asked.at),
                   "model": asked.body.get("model", ""), "choices": [choice]})  # fmt: skip


def _event(value: dict[str, Any]) -> bytes:
    kind = f"event: {value['type']}\n" if "type" in value else ""
    return f"{kind}data: {json.dumps(value)}\n\n".encode()


# --- the wire -----------------------------------------------------------------------------------------------------


def head(status: int, *, kind: str = "application/json", length: int | None = None, **headers: str) -> bytes:
    """A status line and headers; without a length the body is chunked."""
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{framing}\r\n{more}\r\n".encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


END: Final = b"0\r\n\r\n"


def _json(status: int, value: Any, **headers: str) -> bytes:
    body = json.dumps(value).encode()
    return head(status, length=len(body), **headers) + body


def _streamed(*parts: list[bytes], kind: str = "text/event-stream") -> Iterator[Step]:
    yield head(200, kind=kind)
    for part in parts:
        for event in part:
            yield chunk(event)


def _all(asked: Asked) -> tuple[list[bytes], ...]:
    return opening(asked), content(asked), finish(asked), usage(asked), closing(asked)


# --- behaviours ---------------------------------------------------------------------------------------------------


def ok(asked: Asked, _: str) -> Iterator[Step]:
    """The whole answer, as it was asked for; an argument is the seconds before it."""
    if _:
        yield float(_)
    if not asked.stream:
        yield _json(200, whole(asked))
        return
    yield from _streamed(*_all(asked))
    yield END


def partly_cached(asked: Asked, tokens: str) -> Iterator[Step]:
    """A stream of the Responses API that says how many tokens of its prompt were read from a cache."""
    answer = whole(asked)
    answer["usage"]["input_tokens_details"] = {"cached_tokens": int(tokens)}
    last = [_event({"type": "response.completed", "response": answer})]
    yield from _streamed(opening(asked), content(asked), last, closing(asked))
    yield END


def spoken_slowly(asked: Asked, seconds: str) -> Iterator[Step]:
    """A stream with a wait after its opening, and one between all words."""
    yield from _streamed(opening(asked))
    for event in content(asked):
        yield float(seconds)
        yield chunk(event)
    for event in finish(asked) + usage(asked) + closing(asked):
        yield chunk(event)
    yield END


def thought_first(asked: Asked, seconds: str) -> Iterator[Step]:
    """Reasoning at once, the visible answer after a wait."""
    yield from _streamed(opening(asked), content(asked, reasoning=True))
    yield float(seconds)
    for event in content(asked) + finish(asked) + usage(asked) + closing(asked):
        yield chunk(event)
    yield END


def only_thoughts(asked: Asked, _: str) -> Iterator[Step]:
    """All tokens went into reasoning."""
    silent = dataclasses.replace(asked, words=())
    yield from _streamed(opening(asked), content(asked, reasoning=True), finish(silent, "length"), closing(asked))
    yield END


def unasked_whole(asked: Asked, _: str) -> Iterator[Step]:
    """One piece, although a stream was asked for."""
    yield _json(200, whole(asked))


def no_done(asked: Asked, _: str) -> Iterator[Step]:
    """Everything but the last event."""
    yield from _streamed(opening(asked), content(asked), finish(asked), usage(asked))
    yield END


def no_usage(asked: Asked, _: str) -> Iterator[Step]:
    """The usage was asked for and does not come."""
    yield from _streamed(opening(asked), content(asked), finish(asked), closing(asked))
    yield END


def no_last_line(asked: Asked, _: str) -> Iterator[Step]:
    """The last event lacks the empty line that ends it."""
    yield from _streamed(opening(asked), content(asked))
    yield chunk(finish(asked)[0].rstrip(b"\n"))
    yield END


def wrong_type(asked: Asked, _: str) -> Iterator[Step]:
    """A stream that is declared as plain text."""
    yield from _streamed(*_all(asked), kind="text/plain")
    yield END


def byte_by_byte(asked: Asked, _: str) -> Iterator[Step]:
    """A stream whose pieces end in the middle of lines, with the line ends of Windows."""
    yield head(200, kind="text/event-stream")
    text = b": keep alive\r\n\r\n" + b"".join(event for part in _all(asked) for event in part).replace(b"\n", b"\r\n")
    for start in range(0, len(text), 7):
        yield chunk(text[start : start + 7])
    yield END


def hang(asked: Asked, _: str) -> Iterator[Step]:
    """Takes the request and says nothing."""
    yield HANG


def hang_after_headers(asked: Asked, _: str) -> Iterator[Step]:
    yield head(200, kind="text/event-stream" if asked.stream else "application/json")
    yield HANG


def hang_after_opening(asked: Asked, _: str) -> Iterator[Step]:
    yield from _streamed(opening(asked))
    yield HANG


def hang_mid_stream(asked: Asked, _: str) -> Iterator[Step]:
    yield from _streamed(opening(asked), content(asked)[:2])
    yield HANG


def hang_after_finish(asked: Asked, _: str) -> Iterator[Step]:
    """Says everything and leaves the connection open."""
    yield from _streamed(opening(asked), content(asked), finish(asked), usage(asked))
    yield HANG


def pings_for_ever(asked: Asked, _: str) -> Iterator[Step]:
    yield head(200, kind="text/event-stream")
    while True:
        yield chunk(b": ping\n\n")
        yield 0.05


def words_for_ever(asked: Asked, _: str) -> Iterator[Step]:
    """A stream that never ends and is never silent."""
    yield from _streamed(opening(asked))
    while True:
        yield chunk(content(asked)[0])
        yield 0.05


def huge(asked: Asked, _: str) -> Iterator[Step]:
    """A body without an end, as fast as it is read."""
    yield head(200, kind="text/event-stream" if asked.stream else "application/json")
    piece = chunk((b"data: " if asked.stream else b"") + b"x" * 1_000_000)
    while True:
        yield piece


def disconnect(asked: Asked, _: str) -> Iterator[Step]:
    yield CUT


def cut_mid_stream(asked: Asked, _: str) -> Iterator[Step]:
    """Breaks off between two events."""
    yield from _streamed(opening(asked), content(asked)[:2])
    yield CUT


def cut_mid_event(asked: Asked, _: str) -> Iterator[Step]:
    """Ends properly as HTTP, in the middle of an event."""
    yield from _streamed(opening(asked), content(asked)[:2])
    yield chunk(content(asked)[2][:20])
    yield END


def truncate(asked: Asked, _: str) -> Iterator[Step]:
    """Ends properly as HTTP, without a reason to stop."""
    yield from _streamed(opening(asked), content(asked)[:2])
    yield END


def cut_whole(asked: Asked, _: str) -> Iterator[Step]:
    """Half of a body in one piece."""
    body = json.dumps(whole(asked)).encode()
    yield head(200, length=len(body)) + body[: len(body) // 2]
    yield CUT


def no_http(asked: Asked, _: str) -> Iterator[Step]:
    yield b"220 smtp.example.com ready\r\n"
    yield CUT


def html(asked: Asked, _: str) -> Iterator[Step]:
    """A page in place of an answer, with status 200."""
    page = b"<!doctype html><title>Sign in</title>"
    yield head(200, kind="text/html", length=len(page)) + page


def garbage_event(asked: Asked, _: str) -> Iterator[Step]:
    yield from _streamed(opening(asked), content(asked)[:1])
    yield chunk(b"data: {not json\n\n")
    yield END


def foreign(asked: Asked, _: str) -> Iterator[Step]:
    """JSON that is no answer."""
    yield _json(200, {"status": "alive"})


def few_vectors(asked: Asked, _: str) -> Iterator[Step]:
    """One vector less than there are texts."""
    body = whole(asked)
    yield _json(200, body | {"data": body["data"][1:]})


def empty(asked: Asked, _: str) -> Iterator[Step]:
    """An answer that says nothing."""
    if asked.stream:
        yield from _streamed(opening(asked), finish(dataclasses.replace(asked, words=())), closing(asked))
        yield END
    else:
        yield _json(200, whole(asked, words=()))


def no_body(asked: Asked, _: str) -> Iterator[Step]:
    yield head(200, length=0)


def filtered(asked: Asked, reason: str) -> Iterator[Step]:
    """The answer was held back."""
    yield from _streamed(opening(asked), content(asked)[:1], finish(asked, reason or "content_filter"), closing(asked))
    yield END


def error_event(asked: Asked, kind: str) -> Iterator[Step]:
    """An error in the middle of a stream that began as a success."""
    error = {"type": "error", "error": {"type": kind or "overloaded_error", "message": "Overloaded"}}
    yield from _streamed(opening(asked), content(asked)[:1], [_event(error)])
    yield END


def status(asked: Asked, number: str) -> Iterator[Step]:
    """An HTTP error with the error object of OpenAI."""
    yield _json(int(number), {"error": {"message": f"status {number}", "type": "some_error", "code": None}})


def error(asked: Asked, text: str) -> Iterator[Step]:
    """An HTTP error with this body: `error:400 {"error": …}`."""
    number, _, body = text.partition(" ")
    yield head(int(number), length=len(body.encode())) + body.encode()


def slow_error(asked: Asked, seconds: str) -> Iterator[Step]:
    """A server error after a long time."""
    yield float(seconds)
    yield _json(500, {"error": {"message": "upstream gave up"}})


def rate_limit(asked: Asked, spelling: str) -> Iterator[Step]:
    """429 that asks to wait, in a spelling: `rate_limit:retry-after=2`; `date+2` is an HTTP date in two seconds."""
    name, _, value = spelling.partition("=")
    if value.startswith("date+"):
        value = formatdate(time.time() + float(value[5:]), usegmt=True)
    headers = {name: value} if name else {}
    if "reset-" in name or name.endswith("-reset"):
        left = name.replace("reset-", "remaining-") if "reset-" in name else name.replace("-reset", "-remaining")
        headers[left] = "0"
    yield _json(429, {"error": {"message": "too many", "type": "rate_limit_error"}}, **headers)


def redirect(asked: Asked, address: str) -> Iterator[Step]:
    yield head(308, length=0, location=address)


def swollen(asked: Asked, _: str) -> Iterator[Step]:
    """Declares a compression that the body does not have."""
    yield head(200, length=5, content_encoding="gzip") + b"hello"


BEHAVIOURS: Final[dict[str, Behaviour]] = {
    behaviour.__name__: behaviour
    for behaviour in (
        *(ok, partly_cached, spoken_slowly, thought_first, only_thoughts, unasked_whole),
        *(no_done, no_usage, no_last_line, wrong_type, byte_by_byte),
        *(hang, hang_after_headers, hang_after_opening, hang_mid_stream, hang_after_finish),
        *(pings_for_ever, words_for_ever, huge, disconnect),
        *(cut_mid_stream, cut_mid_event, truncate, cut_whole),
        *(no_http, html, garbage_event, foreign, few_vectors, empty, no_body, filtered, swollen),
        *(error_event, status, error, slow_error, rate_limit, redirect),
    )
}


class FaultServer:
    """Serves on a free port of 127.0.0.1 while it is a context.

    `script`: what the requests meet, in order. `then`: what all later ones meet. `shares`: behaviours that later ones
    meet by chance. `scale`: how much faster than real its waits are. `models`: what it lists; without any, 404.
    `listing`: what the list meets in place of an answer. `say`: the words of the answer to a body, else `words`.
    `rpm`: requests in any window of 60 (scaled) seconds that it lets through; more meet 429 with `retry-after-ms`.
    """

    def __init__(
        self,
        *script: str,
        then: str = "ok",
        shares: dict[str, float] | None = None,
        seed: int = 0,
        scale: float = 1.0,
        models: tuple[str, ...] = ("glm-5", "glm-5-air"),
        rpm: int | None = None,
        words: tuple[str, ...] = WORDS,
        say: Callable[[dict[str, Any]], tuple[str, ...]] | None = None,
        port: int = 0,
        listing: str | None = None,
    ) -> None:
        self.script, self.then, self.shares = script, then, shares or {}
        self.scale, self.models, self.rpm, self.words, self.port = scale, models, rpm, words, port
        self.listing, self.say = listing, say
        self.requests: list[Asked] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._chance = random.Random(seed)
        self._passed: list[float] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._http = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def steps(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Iterator[Step]:
        """Notes a request and decides what it meets."""
        with self._lock:
            now = time.monotonic() * self.scale
            words = self.words if self.say is None or path.endswith("/embeddings") else self.say(body)
            asked = Asked(len(self.requests), now, path, headers, body, words)
            self.requests.append(asked)
            wait = self._wait(now)
            name, _, argument = self._chosen(asked.number).partition(":")
        if wait is not None:
            return rate_limit(asked, f"retry-after-ms={wait * 1000:.0f}")
        return BEHAVIOURS[name](asked, argument)

    def listed(self, path: str) -> Iterator[Step]:
        """The models, or what a request for them meets."""
        if self.listing is not None:
            name, _, argument = self.listing.partition(":")
            return BEHAVIOURS[name](Asked(0, 0.0, path, {}, {}), argument)
        if not self.models:
            return iter([_json(404, {"error": {"message": "no such path"}})])
        return iter([_json(200, {"data": [{"id": model, "object": "model"} for model in self.models]})])

    def _chosen(self, number: int) -> str:
        if number < len(self.script):
            return self.script[number]
        drawn = self._chance.random()
        for name, share in self.shares.items():
            drawn -= share
            if drawn < 0:
                return name
        return self.then

    def _wait(self, now: float) -> float | None:
        if self.rpm is None:
            return None
        self._passed = [at for at in self._passed if at > now - 60]
        if len(self._passed) >= self.rpm:
            return self._passed[0] + 60 - now
        self._passed.append(now)
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is what these tests are about; anything else is a fault of this file."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(server: FaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            server.connections += 1

        def do_GET(self) -> None:
            self._play(server.listed(self.path))

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._play(server.steps(self.path, headers, json.loads(text)))

        def _play(self, steps: Iterator[Step]) -> None:
            for step in steps:
                if step == CUT:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if isinstance(step, bytes):
                    self.wfile.write(step)
                elif server.stopping.wait(None if step == HANG else step / server.scale):
                    self.close_connection = True
                    return

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read `requests`."""

    return Handler


def main() -> None:
    """Serves until it is ended; prints its address first."""
    reading = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reading.add_argument("--port", type=int, default=0)
    reading.add_argument("--share", action="append", default=[], metavar="BEHAVIOUR=PART")
    reading.add_argument("--then", default="ok")
    reading.add_argument("--seed", type=int, default=0)
    reading.add_argument("--rpm", type=int)
    given = reading.parse_args()
    shares = {name: float(part) for name, _, part in (share.rpartition("=") for share in given.share)}
    with FaultServer(port=given.port, shares=shares, then=given.then, seed=given.seed, rpm=given.rpm) as server:
        print(server.base_url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
