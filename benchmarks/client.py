"""CPU of a streamed request, ours against others: `python -m benchmarks.client [REQUESTS]`.

One server in a process of its own; the clients alternate, and of all rounds the least counts. `ours` is all that the
endpoints' client does: it paces, retries, reads the events and times the first token. The transports only carry: those
of httpx and aiohttp (`pip install httpx-aiohttp`; left out where it is missing) beside our own. The answers have 20
words, each an event. Pages in docs/decisions quote this table.
"""

import asyncio
import importlib.util
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import msgspec
from benchmarks.report import markdown_table

from llmmigrate.endpoints.client import Client
from llmmigrate.endpoints.exchange import Endpoint
from llmmigrate.endpoints.line import Line

SERVER = Path(__file__).with_name("shadow_server.py")
WAIT_MS, WORDS = "20", "20"
BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "x" * 2_000}]}
UNDER_WAY = (1, 16, 64)
ROUNDS = 3

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Send = Callable[[], Awaitable[object]]
Way = Callable[[str, int, int], Coroutine[None, None, float]]
"""Base URL, requests at one time, and how many in all → milliseconds of CPU a request."""


async def cpu_of(send: Send, requests: int) -> float:
    """Milliseconds of CPU a request, after as many connections as it takes are open."""
    await asyncio.gather(*(send() for _ in range(max(UNDER_WAY))))
    before = time.process_time()
    await asyncio.gather(*(send() for _ in range(requests)))
    return (time.process_time() - before) / requests * 1000


async def ours(base_url: str, under_way: int, requests: int) -> float:
    endpoint = Endpoint(
        provider="bench", model="m", base_url=base_url, dialect="openai-chat", concurrency=under_way
    )  # fmt: skip

    async with Client(endpoint) as client:

        async def send() -> None:
            exchange = await client.send(BODY)
            if exchange.failure is not None:
                raise SystemExit(f"the server failed: {exchange.detail}")

        return await cpu_of(send, requests)


async def bare(base_url: str, under_way: int, requests: int) -> float:
    body = {**BODY, "model": "m", "stream": True, "stream_options": {"include_usage": True}}
    places = asyncio.Semaphore(under_way)
    async with httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=under_way), timeout=None) as client:

        async def send() -> None:
            async with places, client.stream("POST", f"{base_url}/chat/completions", json=body) as response:
                async for _ in response.aiter_bytes():
                    pass

        return await cpu_of(send, requests)


def carried(make: Callable[[], httpx.AsyncBaseTransport]) -> Way:
    """By transports alone, each of which has one request at a time."""

    async def way(base_url: str, under_way: int, requests: int) -> float:
        body = msgspec.json.encode({**BODY, "model": "m", "stream": True})
        places = asyncio.Semaphore(under_way)
        idle: list[httpx.AsyncBaseTransport] = []

        async def send() -> None:
            async with places, asyncio.timeout(60):
                transport = idle.pop() if idle else make()
                extensions = {"timeout": {"connect": 10.0}}
                request = httpx.Request("POST", f"{base_url}/chat/completions", content=body, extensions=extensions)
                response = await transport.handle_async_request(request)
                assert isinstance(response.stream, httpx.AsyncByteStream)
                async for _ in response.stream:
                    pass
                await response.aclose()
                idle.append(transport)

        found = await cpu_of(send, requests)
        for transport in idle:
            await transport.aclose()
        return found

    return way


def ways() -> dict[str, Way]:
    """What is compared, by name."""
    found = {
        "ours": ours,
        "our transport": carried(lambda: Line(NO_TLS)),
        "httpx's transport": carried(lambda: httpx.AsyncHTTPTransport(verify=NO_TLS)),
        "one httpx client": bare,
    }
    if importlib.util.find_spec("httpx_aiohttp") is not None:
        from httpx_aiohttp import AiohttpTransport

        found["aiohttp's transport"] = carried(lambda: AiohttpTransport(verify=NO_TLS))
    return found


def main() -> None:
    """Measure and print."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    command = [sys.executable, str(SERVER), WAIT_MS, WORDS]
    compared = ways()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        base_url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        rows = []
        for under_way in UNDER_WAY:
            found: dict[str, list[float]] = {name: [] for name in compared}
            for _ in range(ROUNDS):
                for name, way in compared.items():
                    found[name].append(asyncio.run(way(base_url, under_way, requests)))
            rows.append([str(under_way), *(f"{min(times):.2f} ms" for times in found.values())])
        server.terminate()
    print(markdown_table(["under way", *compared], rows))
    print(f"\nLoad {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
