"""Requests at a steady rate or one after another, and what became of each."""

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from llmmigrate.rollout import wire

TIMEOUT: Final = 12.0
"""Seconds after which a client gives up."""


@dataclass(slots=True)
class Record:
    """One request: when it was sent, whether its whole answer came, from whom and how long it took."""

    at: float
    ok: bool = False
    served_by: str | None = None
    model: str | None = None
    failure: str | None = None
    seconds: float = 0.0
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Load:
    """What kind of requests."""

    model: str
    port: int
    path: str = "/v1/chat/completions"
    stream_pieces: int = 0
    """More than 0: streamed answers of so many pieces."""
    padding: int = 0
    """Bytes of prompt."""
    timeout: float = TIMEOUT
    key: str = "caller"
    headers: Mapping[str, str] = field(default_factory=dict)
    """More headers than every request has, names in lower case."""


async def send(load: Load) -> Record:
    """Send one request and read its whole answer."""
    record = Record(time.monotonic())
    pieces: list[bytes] = []
    try:
        request = wire.Request("POST", load.path, {}, _body(load))
        request = request._replace(headers=_headers(load, len(request.body)))
        answer = await wire.ask(load.port, request, timeout=load.timeout, on_piece=pieces.append)
        _judge(record, answer, b"".join(pieces), streamed=load.stream_pieces > 0)
    except (OSError, TimeoutError, ValueError, KeyError) as error:
        record.failure = type(error).__name__ if not isinstance(error, TimeoutError) else "timeout"
    record.seconds = time.monotonic() - record.at
    return record


class Traffic:
    """Requests at a steady rate, several at a time with `burst`, whatever becomes of them, until it is stopped."""

    def __init__(self, load: Load, rate: float, burst: int = 1) -> None:
        self.load, self.rate, self.burst = load, rate, burst
        self.records: list[Record] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._pacing = asyncio.ensure_future(self._pace())

    async def stop(self) -> list[Record]:
        """Send no more and wait for the answers that are due."""
        self._pacing.cancel()
        await asyncio.gather(self._pacing, *self._tasks, return_exceptions=True)
        return self.records

    async def _pace(self) -> None:
        started, sent = time.monotonic(), 0
        while True:
            for _ in range(self.burst):
                task = asyncio.ensure_future(self._one())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            sent += self.burst
            await asyncio.sleep(max(0.0, started + sent / self.rate - time.monotonic()))

    async def _one(self) -> None:
        self.records.append(await send(self.load))


async def one_after_another(load: Load, *, lanes: int, count: int | None = None, seconds: float = 0) -> list[Record]:
    """Requests in `lanes` lanes, each as soon as the one before is answered: `count` in all, or for `seconds`."""
    records: list[Record] = []
    until = time.monotonic() + seconds
    started = 0

    async def lane() -> None:
        nonlocal started
        while started < count if count is not None else time.monotonic() < until:
            started += 1
            records.append(await send(load))

    await asyncio.gather(*(lane() for _ in range(lanes)))
    return records


def percentile(values: Sequence[float], part: float) -> float | None:
    """The nearest-rank percentile, None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None


def _body(load: Load) -> bytes:
    content = f"hello {random.random()}" + "x" * load.padding
    body: dict[str, object] = {
        "metadata": {"model": "not this one"},
        "messages": [{"role": "user", "content": content}],
        "model": load.model,
    }
    if load.stream_pieces:
        body |= {"stream": True, "seed": load.stream_pieces}
    return json.dumps(body).encode()


def _headers(load: Load, length: int) -> dict[str, str]:
    return {
        "host": f"127.0.0.1:{load.port}",
        "content-type": "application/json",
        "content-length": str(length),
        "authorization": f"Bearer {load.key}",
        "connection": "close",
        **load.headers,
    }


def _judge(record: Record, answer: wire.Answer, body: bytes, *, streamed: bool) -> None:
    """Fill in what an answer that has ended says."""
    record.tries = _tries(answer.headers)
    if answer.status != 200:
        record.failure = str(answer.status)
        return
    events = [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line.startswith("data: ")]
    if streamed and (not events or events[-1].strip() != "[DONE]" or '"error"' in body.decode()):
        record.failure = "cut"
        return
    first = json.loads(events[0] if streamed else body)["choices"][0]
    content = (first["delta"] if streamed else first["message"]).get("content") or ""
    record.served_by, _, record.model = content.partition("|")
    record.ok = True


def _tries(headers: wire.Headers) -> int:
    """How many attempts the gateway says it has made for an answer."""
    if "x-envoy-attempt-count" in headers:
        return int(headers["x-envoy-attempt-count"])
    if "x-litellm-attempted-fallbacks" in headers:
        return 1 + int(headers["x-litellm-attempted-fallbacks"])
    if "x-llm-retries" in headers:
        return 1 + int(headers["x-llm-retries"])
    return 1 + headers.get("x-llm-tried", "").count(",")
