"""Providers of ours on loopback that speak the OpenAI dialect and fall sick on cue."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from llmmigrate.rollout import wire
from llmmigrate.rollout.plan import Role

Sickness = str
"""`ok`, `500`, `429`, `401`, `hang`, `slow`, `cut`, `flap`, `refused`, or `partly`: one request in five fails."""

_ERRORS: Final = {
    "500": (500, "server_error"),
    "429": (429, "rate_limit_error"),
    "401": (401, "invalid_api_key"),
    "flap": (500, "server_error"),
    "partly": (500, "server_error"),
}
SLOW_SECONDS: Final = 3.0
_HANG_SECONDS: Final = 60.0
_FLAP_SECONDS: Final = 1.0
_PARTLY: Final = 5
_CUT_AFTER: Final = 5
"""Pieces that a stream gets before it is cut."""


class Hit(NamedTuple):
    """A request that reached a provider."""

    at: float
    model: str
    authorization: str


@dataclass(slots=True)
class Upstream:
    """One provider: what ails it now and who has asked."""

    role: Role
    port: int
    delay: float = 0.02
    piece_seconds: float = 0.03
    """Between two pieces of a stream; how many there are is the request's `seed`."""
    sickness: Sickness = "ok"
    since: float = 0.0
    hits: list[Hit] = field(default_factory=list)
    listening: wire.Listening | None = None

    async def start(self) -> None:
        """Listen."""
        self.listening = wire.Listening(self._answer)
        await self.listening.start(self.port)

    def stop(self) -> None:
        """Stop listening and cut off who is connected: connections are refused from now on."""
        if self.listening is not None:
            self.listening.stop()
            self.listening = None

    async def set(self, sickness: Sickness) -> float:
        """Fall sick or get well; the time at which it happened."""
        self.sickness, self.since = sickness, time.monotonic()
        if sickness == "refused":
            self.stop()
        elif self.listening is None:
            await self.start()
        return time.monotonic()

    async def _answer(self, request: wire.Request, reply: wire.Reply) -> None:
        if request.method != "POST":
            sick = self.sickness in ("500", "hang")
            await reply.send(500 if sick else 200, b'{"object": "list", "data": []}', _JSON)
            return
        body = json.loads(request.body)
        self.hits.append(Hit(time.monotonic(), str(body.get("model")), request.headers.get("authorization", "")))
        if not await self._fails(reply):
            await asyncio.sleep(self.delay)
            await self._speak(body, reply)

    async def _fails(self, reply: wire.Reply) -> bool:
        """Act out the sickness; whether that was the answer."""
        sickness = self.sickness
        if sickness == "flap" and int((time.monotonic() - self.since) / _FLAP_SECONDS) % 2:
            return False
        if sickness == "partly" and len(self.hits) % _PARTLY:
            return False
        if sickness in _ERRORS:
            status, kind = _ERRORS[sickness]
            body = json.dumps({"error": {"message": f"sick: {sickness}", "type": kind, "code": kind}}).encode()
            await reply.send(status, body, _JSON | ({"retry-after": "1"} if status == 429 else {}))
            return True
        if sickness == "hang":
            await reply.until_closed(_HANG_SECONDS)
            return True
        if sickness == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        return False

    async def _speak(self, body: dict[str, Any], reply: wire.Reply) -> None:
        text = f"{self.role}|{body.get('model')}"
        if not body.get("stream"):
            await reply.send(200, json.dumps(_completion(body, text)).encode(), _JSON)
            return
        await reply.begin(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        for number in range(int(body.get("seed") or 12)):
            if self.sickness == "cut" and number == _CUT_AFTER:
                reply.abort()
                return
            await reply.piece(_event(_chunk(body, text if number == 0 else f" {number}", None)))
            await asyncio.sleep(self.piece_seconds)
        await reply.piece(_event(_chunk(body, None, "stop")) + b"data: [DONE]\n\n")
        await reply.end()


_JSON: Final = {"content-type": "application/json"}


def _completion(body: dict[str, Any], text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "drill",
        "object": "chat.completion",
        "created": 1,
        "model": body.get("model"),
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    }


def _chunk(body: dict[str, Any], text: str | None, finish: str | None) -> dict[str, Any]:
    delta = {} if text is None else {"role": "assistant", "content": text}
    return {
        "id": "drill",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": body.get("model"),
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
