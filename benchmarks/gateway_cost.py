"""What a request and a stream cost a gateway in processor time, and what it loses of cut streams with little of it.

    python -m benchmarks.gateway_cost litellm              (a minute; Linux)
    python -m benchmarks.gateway_cost litellm --core 0.3   (a minute; the gateway is held to three tenths of a core)

The gateway runs with the files of benchmarks/drills/migration.yaml as a drill starts it. It is held back by
stopping its process for a part of every 50 ms, as a busy machine would. Of several processes the first is counted.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from llmmigrate.rollout.drill.lab import Lab, opened
from llmmigrate.rollout.drill.traffic import Load, Traffic, one_after_another
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.plan import load

PLAN = Path(__file__).with_name("drills") / "migration.yaml"
SECONDS = 8.0
CUT_SECONDS = 24.0
CUT_RATE = 2.5
PIECES = 12
SLICE = 0.05


async def main(gateway: str, core: float | None) -> None:
    """Start the gateway and print what was measured."""
    async with opened(load(PLAN), gateway_of(gateway)) as lab:
        await lab.start(lab.gateway.PACE.stream_share)
        await one_after_another(lab.load(), lanes=2, count=10)
        if core is not None:
            async with held(process_of(lab), core):
                await cut(lab)
            return
        for _ in range(2):
            await cost(lab, "requests", lab.load(), lanes=2)
            await cost(lab, f"streams of {PIECES} pieces", lab.load(stream_pieces=PIECES), lanes=6)


async def cost(lab: Lab, name: str, asked: Load, lanes: int) -> None:
    """Processor time of the gateway for each request, several at one time."""
    began, used = time.monotonic(), processor_seconds(process_of(lab))
    records = await one_after_another(asked, lanes=lanes, seconds=SECONDS)
    took = time.monotonic() - began
    each = 1000 * (processor_seconds(process_of(lab)) - used) / len(records)
    answered = sum(record.ok for record in records)
    print(
        f"{name}: {answered} of {len(records)} answered, {answered / took:.1f} a second, {each:.0f} ms of a core each"
    )


async def cut(lab: Lab) -> None:
    """Streams at a steady rate while the target cuts them."""
    traffic = Traffic(lab.load(stream_pieces=PIECES), CUT_RATE)
    await asyncio.sleep(1)
    sick = await lab.target.set("cut")
    lab.target.hits.clear()
    await asyncio.sleep(CUT_SECONDS)
    records = [record for record in await traffic.stop() if record.at >= sick]
    lost = Counter(record.failure for record in records if not record.ok)
    hits = ", ".join(f"{hit.at - sick:.1f}" for hit in lab.target.hits)
    print(f"cut: {lost.total()} of {len(records)} streams lost {dict(lost)}; the target was tried after {hits} s")


def process_of(lab: Lab) -> int:
    """The gateway's process."""
    assert lab._process is not None
    return lab._process.pid


def processor_seconds(pid: int) -> float:
    """User and system time of a process (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def held(pid: int, part: float) -> AsyncIterator[None]:
    """The process runs for a part of the time only."""
    holding = asyncio.ensure_future(_hold(pid, part))
    try:
        yield
    finally:
        holding.cancel()
        os.kill(pid, signal.SIGCONT)


async def _hold(pid: int, part: float) -> None:
    while True:
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(SLICE * (1 - part))
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(SLICE * part)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gateway")
    parser.add_argument("--core", type=float)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.gateway, arguments.core))
