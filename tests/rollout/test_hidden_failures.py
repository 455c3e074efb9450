"""What a failover hides from callers must not be hidden from the watch: real gateways count each attempt."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rollout.live import answering_checks, site

from llmmigrate.rollout.drill.traffic import one_after_another
from llmmigrate.rollout.drill.upstreams import Sickness
from llmmigrate.rollout.emission import gateway_of

MANY = 40


@pytest.mark.parametrize("sickness", ["500", "401", "partly"])
@pytest.mark.parametrize("kind", ["envoy", "haproxy", "nginx"])
def test_attempts_that_failed_are_counted_though_every_caller_was_answered(
    kind: str, sickness: Sickness, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs(kind)
    attempts, failed, hits, sick = asyncio.run(_counted(tmp_path, kind, sickness))
    assert attempts == hits > 2
    assert failed == sick > 0


async def _counted(directory: Path, kind: str, sickness: Sickness) -> tuple[int, int, int, int]:
    """Attempts and failures by the gateway, and by the target itself, whose health checks are good all the time."""
    async with site(directory, kind, stage="full") as here:
        read, target = gateway_of(kind).reader(here.plan, here.directory), here.upstreams["target"]
        await answering_checks(target, 200)
        before, hits = await asyncio.to_thread(read), here.hits("target")
        await target.set(sickness)
        records = await one_after_another(here.load(), lanes=1, count=MANY)
        assert all(record.ok for record in records)
        after = await asyncio.to_thread(read)
        seen = here.hits("target") - hits
        sick = seen if sickness != "partly" else sum((hits + number) % 5 == 0 for number in range(1, seen + 1))
        return after.attempts - before.attempts, after.errors - before.errors, seen, sick
