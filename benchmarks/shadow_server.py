"""A model endpoint that costs next to nothing: `python benchmarks/shadow_server.py MILLISECONDS EVENTS`.

Speaks chat completions as a stream of so many events, after a wait, on a free port of 127.0.0.1 that it prints. Written
on asyncio's protocols, so that with a client on the same two cores it is the client that is measured. It answers every
request in full and reads nothing of it but its length; the answer has an eighth of its words drawn anew each time.
"""

import asyncio
import json
import random
import sys
from typing import Any

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
USAGE = {"prompt_tokens": 60, "completion_tokens": 40, "total_tokens": 100}
ANSWERS = 64
"""So many answers are made beforehand."""


def event(delta: dict[str, Any] | None, **more: Any) -> bytes:
    """One event as a chunk of its own."""
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish", None)}
    choices = [] if delta is None else [choice]
    made = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    text = f"data: {json.dumps({**made, **more})}\n\n".encode()
    return f"{len(text):x}\r\n".encode() + text + b"\r\n"


def answer(chance: random.Random, words: int) -> bytes:
    """The whole stream: a role, the words, the reason to stop, the usage, the end."""
    said = [f"word{chance.randrange(500) if chance.random() < 1 / 8 else number % 500} " for number in range(words)]
    events = [event({"role": "assistant", "content": ""}), *(event({"content": word}) for word in said)]
    done = b"data: [DONE]\n\n"
    end = f"{len(done):x}\r\n".encode() + done + b"\r\n0\r\n\r\n"
    return HEAD + b"".join(events) + event({}, finish="stop") + event(None, usage=USAGE) + end


class Endpoint(asyncio.Protocol):
    """One connection."""

    def __init__(self, wait: float, answers: list[bytes], chance: random.Random) -> None:
        self._wait, self._answers, self._chance = wait, answers, chance
        self._asked = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._asked += data
        head, found, body = self._asked.partition(b"\r\n\r\n")
        if not found:
            return
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < length:
            return
        self._asked = b""
        asyncio.get_running_loop().call_later(self._wait, self._say)

    def _say(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._chance.choice(self._answers))


async def serve(wait: float, words: int) -> None:
    """Serve until the process is ended."""
    chance = random.Random(1)
    answers = [answer(chance, words) for _ in range(ANSWERS)]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Endpoint(wait, answers, chance), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1000, int(sys.argv[2])))
