"""How long the watch takes to go back at its defaults, on a real Envoy: three sick targets side by side.

    python -m benchmarks.rollback         (about two minutes; prints the table of docs/rollout.md)

The gateway hides each sickness from the callers. Seconds are from the sickness to the lock.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.rollout.live import Site, site

from llmmigrate.rollout.changing import take_stage
from llmmigrate.rollout.drill.traffic import Traffic
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.watch import Options, Watch

RATE = 5.0
"""Requests a second, half of them for the target: 75 a window of 30 s."""
LIMIT = 8
PLAN = "rollback: {latency_p95: 200ms}\nfailover: {idle_timeout: 2s}\n"
CASES = {
    "one request in five fails": ("partly", 0.02),
    "300 ms slower": ("ok", 0.32),
    "refuses connections, ejected": ("refused", 0.02),
}


class Result(NamedTuple):
    """What one case gave."""

    case: str
    seconds: float | None
    reason: str
    requests: int
    lost: int


async def measured(case: str, directory: Path) -> Result:
    """Let a target fall sick right after a window has begun, and wait for the watch."""
    sickness, delay = CASES[case]
    async with site(directory, "envoy", stage="half", extra=PLAN) as here:
        take_stage(here.plan, here.place, "half")
        traffic = Traffic(here.load(), RATE)
        watch = _watch(here)
        watching = asyncio.ensure_future(asyncio.to_thread(watch.run))
        await asyncio.sleep(2)
        here.upstreams["target"].delay = delay
        began = time.monotonic()
        await here.upstreams["target"].set(sickness)
        back = await watching
        seconds = time.monotonic() - began if back else None
        records = await traffic.stop()
        state = here.place.state()
        reason = state.lock.reason if state is not None and state.lock is not None else ""
        return Result(case, seconds, reason, len(records), sum(not record.ok for record in records))


def _watch(here: Site) -> Watch:
    reader = gateway_of("envoy").reader(here.plan, here.directory)
    return Watch(here.plan, here.place, reader, Options(apply=True, limit=LIMIT), print)


async def main() -> None:
    """Run all cases and print their table."""
    with tempfile.TemporaryDirectory() as place:
        directories = [Path(place) / str(number) for number in range(len(CASES))]
        for directory in directories:
            directory.mkdir()
        jobs = [measured(case, directory) for case, directory in zip(CASES, directories, strict=True)]
        results = await asyncio.gather(*jobs)
    print("\n| target | rolled back after | why | lost by callers |\n|---|---|---|---|")
    for result in results:
        took = f"{result.seconds:.0f} s" if result.seconds is not None else "not at all"
        print(f"| {result.case} | {took} | {result.reason} | {result.lost} of {result.requests} |")


if __name__ == "__main__":
    asyncio.run(main())
