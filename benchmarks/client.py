"""CPU of a streamed request, ours against bare httpx: `python -m benchmarks.client [REQUESTS]`.

One server in a process of its own; the two clients alternate. Ours also paces, retries, reads the events and times the
first token. A page in docs/decisions quotes this table.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from benchmarks.report import markdown_table

from llmmigrate.endpoints.client import Client
from llmmigrate.endpoints.exchange import Endpoint

SERVER = Path(__file__).parents[1] / "tests" / "endpoints" / "fault_server.py"
BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "x" * 2_000}]}
UNDER_WAY = (1, 16, 64)
ROUNDS = 3

Send = Callable[[], Awaitable[object]]


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


def main() -> None:
    """Measure and print."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True) as server:
        base_url = server.stdout.readline().strip() if server.stdout is not None else ""
        rows = []
        for under_way in UNDER_WAY:
            found: dict[str, list[float]] = {"ours": [], "bare": []}
            for _ in range(ROUNDS):
                found["ours"].append(asyncio.run(ours(base_url, under_way, requests)))
                found["bare"].append(asyncio.run(bare(base_url, under_way, requests)))
            mine, theirs = (statistics.median(found[name]) for name in ("ours", "bare"))
            rows.append([str(under_way), f"{mine:.1f} ms", f"{theirs:.1f} ms", f"{mine / theirs:.2f}"])
        server.terminate()
    print(markdown_table(["under way", "ours", "one httpx client", "ratio"], rows))


if __name__ == "__main__":
    main()
