"""What Envoy and nginx make of a request before a provider gets it, on the real gateways."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from llmmigrate.rollout import wire
from llmmigrate.rollout.drill.lab import Lab, opened
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.plan import Plan

TEXTS = [
    '{"model": "o3", "messages": []}',
    '{"messages": [{"role": "user", "content": "\\"model\\": \\"o3\\", }{]["}], "model" : "o3"}',
    '{"metadata": {"model": "o3", "service_tier": "x"}, "model":"o3","service_tier":"flex","n":1}',
    ' {\n "max_completion_tokens" : 5 ,\n "model": "o3", "stop": ["\\\\", "\\""], "temperature": 1.5e-3}\n',
    '{"model": "gpt-4.1", "tools": [{"type": "function", "function": {"name": "model", "parameters": {}}}]}',
    '{"x": null, "y": true, "z": [[], {}, [{"model": "o3"}]], "model": "o3"}',
    '{"service_tier": "auto"}',
    "{}",
    '{"user": "del \x7f and \\u0000", "model": "o3"}',
    '{"model": "o3", "content": "' + "ü\u4e2d" * 50_000 + '"}',
]
NOT_JSON = [
    "[1, 2]",
    '{"model": "o3"',
    "model",
    '{"model": "o3"} x',
    '{"a": }',
    '{"model": "o3", "a": [1 2]}',
    '{"model": "o3" , "a": [}]}',
    '{"model": "o3", "n": 01 }',
    '{"model": "o3", "text": "a\nb"}',
    '{"model": "o3", "text": "\\x"}',
    '{"model": "o3", }',
    '{"model": "o3", "deep": ' + "[" * 100_000 + "}",
]
UNTOUCHED = [
    ' { "model" : "gpt-4.1",\t"messages": [ ] , "n":1 }\n',
    '{"a": [1, -0.5, 1e9, 2E-3, true, false, null, "", "\\u00e9\\/"], "b": {"c": {}}, "model": 5 }',
    '{ "deep": ' + "[" * 100_000 + "]" * 100_000 + "}",
]


def wanted(body: dict[str, Any]) -> dict[str, Any]:
    """The request as the plan's target wants it."""
    names = {"max_completion_tokens": "max_tokens"}
    kept = {names.get(key, key): value for key, value in body.items() if key != "service_tier"}
    return {**kept, "model": "glm-5"} if kept.get("model") == "o3" else kept


@pytest.mark.parametrize("name", ["envoy", "nginx"])
def test_only_what_the_plan_names_is_changed(name: str, plan: Plan, needs: Callable[[str], None]) -> None:
    needs(name)
    got = asyncio.run(_received(plan, name, [*TEXTS, *NOT_JSON, *UNTOUCHED]))
    assert [json.loads(text) for text in got[: len(TEXTS)]] == [wanted(json.loads(text)) for text in TEXTS]
    assert got[len(TEXTS) :] == [*NOT_JSON, *UNTOUCHED]


async def _received(plan: Plan, name: str, texts: list[str]) -> list[str]:
    """The bodies that the target receives when these are sent through a gateway."""
    seen: list[wire.Request] = []

    async def answer(request: wire.Request, reply: wire.Reply) -> None:
        seen.append(request)
        await reply.send(200, b"{}", {})

    async with opened(plan, gateway_of(name)) as lab:
        await lab.start(Decimal(1))
        lab.target.stop()
        echo = wire.Listening(answer)
        await echo.start(lab.target.port)
        for text in texts:
            await _post(lab, text.encode())
        echo.stop()
    assert {request.path for request in seen} == {"/api/paas/v4/chat/completions"}
    assert {request.headers["authorization"] for request in seen} == {"Bearer drill-target"}
    return [request.body.decode() for request in seen]


async def _post(lab: Lab, body: bytes) -> None:
    headers = {"host": "gateway", "content-length": str(len(body)), "authorization": "Bearer of-the-caller"}
    request = wire.Request("POST", "/v1/chat/completions", headers, body)
    answer = await wire.ask(lab.listen, request, timeout=10, on_piece=lambda _: None)
    assert answer.status == 200
    assert answer.headers["x-llm-served-by"] == "target"
