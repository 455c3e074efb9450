"""The watch on real gateways with a target that falls sick, and with counts that are given."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.rollout.live import Site, site

from llmmigrate.errors import GatewayError
from llmmigrate.rollout import Counts
from llmmigrate.rollout.answers import Report
from llmmigrate.rollout.changing import roll_back, take_stage
from llmmigrate.rollout.drill.lab import free_ports
from llmmigrate.rollout.drill.traffic import Traffic, send
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.state import instant
from llmmigrate.rollout.watch import Options, Watch
from llmmigrate.rollout.wire import Listening, Reply, Request, ask

QUICK = """\
failover: {idle_timeout: 2s, eject_for: 2s}
rollback: {latency_p95: 200ms, min_requests: 20}
monitoring: {every: 6s}
"""


@pytest.mark.parametrize(
    ("kind", "sickness"),
    [
        ("envoy", "partly"),
        ("envoy", "refused"),
        ("nginx", "500"),
        ("haproxy", "500"),
        ("haproxy", "late"),
        ("litellm", "cut"),
        ("litellm", "late"),
    ],
)
def test_a_target_that_fails_out_of_sight_is_gone_back_from(
    kind: str, sickness: str, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs(kind)
    asyncio.run(_sick_target(tmp_path, kind, sickness))


async def _sick_target(directory: Path, kind: str, sickness: str) -> None:
    pace = gateway_of(kind).PACE
    extra = QUICK.replace("min_requests: 20", f"min_requests: {pace.rate // 2}")
    async with site(directory, kind, stage="half", extra=extra) as here:
        await asyncio.to_thread(take_stage, here.plan, here.place, "half")
        traffic = Traffic(here.load(stream_pieces=12 if sickness == "cut" else 0), min(pace.rate, 20))
        await asyncio.sleep(1)
        await _fall_sick(here, sickness)
        said: list[str] = []
        watch = _watch(here, Options(apply=True, limit=12), said.append)
        assert await asyncio.to_thread(watch.run), said
        before = here.hits("target")
        await asyncio.sleep(1)
        records = await traffic.stop()
        assert here.hits("target") - before <= 1
        if sickness != "cut":  # a stream that is cut is lost; how many are, the drill measures
            assert {record.failure for record in records if not record.ok} == set()
        state = here.place.state()
        assert state is not None
        assert state.lock is not None
        assert (state.stage, state.lock.by) == ("back", "watch")
        assert "rolled back" in said[-1]
        assert REASONS[sickness] in said[-1]


REASONS = {"partly": "attempts failed", "late": "took longer than 200 ms"}
REASONS |= dict.fromkeys(["refused", "500", "cut"], "the gateway leaves the target alone")


async def _fall_sick(here: Site, sickness: str) -> None:
    if sickness == "late":
        here.upstreams["target"].delay = 0.5
    else:
        await here.upstreams["target"].set(sickness)


@pytest.mark.parametrize("kind", ["envoy", "haproxy"])
def test_a_late_target_is_counted_exactly(kind: str, tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs(kind)
    counts = asyncio.run(_late_target(tmp_path, kind))
    assert counts.attempts == counts.timed == 11
    assert (counts.slow, counts.errors) == (10, 0)


async def _late_target(directory: Path, kind: str) -> Counts:
    async with site(directory, kind, stage="full", extra=QUICK) as here:
        here.upstreams["target"].delay = 0.3
        traffic = Traffic(here.load(stream_pieces=3), 10)
        await asyncio.sleep(0.95)
        await traffic.stop()
        await asyncio.sleep(5.5)  # Envoy adds its histograms up every 5 s
        read = gateway_of(kind).reader(here.plan, here.directory)
        return await asyncio.to_thread(read)


def test_nginx_leaves_out_callers_who_hang_up(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("nginx")
    counts = asyncio.run(_hung_up(tmp_path))
    assert (counts.attempts, counts.errors, counts.ejected) == (2, 1, False)


async def _hung_up(directory: Path) -> Counts:
    """What is counted of four callers who hang up while the target is silent, of one good answer and one failure."""
    async with site(directory, "nginx", stage="full", extra=QUICK) as here:
        log = here.directory / "attempts.log"
        await _lines(log, 1)  # of the request that found it running
        read = gateway_of("nginx").reader(here.plan, here.directory)
        await here.upstreams["target"].set("hang")
        hits = here.hits("target")
        for number in range(4):
            call = asyncio.create_task(send(here.load()))
            while here.hits("target") < hits + number + 1:
                await asyncio.sleep(0.01)
            call.cancel()
        for sickness in ("ok", "500"):
            await here.upstreams["target"].set(sickness)
            assert (await send(here.load())).ok
        await _lines(log, 1 + 4 + 2)
        return await asyncio.to_thread(read)


async def _lines(log: Path, count: int) -> None:
    """Wait until a log has so many lines."""
    async with asyncio.timeout(30):
        while len(log.read_text().splitlines()) < count:
            await asyncio.sleep(0.01)


def _watch(here: Site, options: Options, say: Callable[[str], None]) -> Watch:
    reader = gateway_of(here.plan.gateway.kind).reader(here.plan, here.directory)
    return Watch(here.plan, here.place, reader, options, say)


def scripted(*counts: Counts | None) -> Callable[[], Counts]:
    """A reader of counts that are given; None is a gateway that does not answer. EOFError at their end."""
    left = list(counts)

    def read() -> Counts:
        if not left:
            raise EOFError
        found = left.pop(0)
        if found is None:
            raise GatewayError("no answer")
        return found

    return read


@pytest.fixture
def here(tmp_path: Path) -> Site:
    """An emitted plan with short windows; nothing runs, the counts are given."""
    from tests.rollout.live import emitted

    return emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="half", extra="monitoring: {every: 10ms}\n")


def failing(upto: int) -> list[Counts]:
    return [Counts(100 * n, 50 * n, 100 * n, 0, 0) for n in range(upto)]


def test_a_restart_goes_on_where_it_was(here: Site) -> None:
    take_stage(here.plan, here.place, "half")
    now = datetime.now(UTC)
    assert [_watched_once(here, now) for _ in range(3)] == [False, False, True]


def _watched_once(here: Site, now: datetime) -> bool:
    """Whether one failing window, with what is remembered, is the last straw."""
    options = Options(apply=True, once=True)
    return Watch(here.plan, here.place, scripted(*failing(2)), options, print, lambda: now).run()


def test_an_old_streak_is_forgotten(tmp_path: Path) -> None:
    from tests.rollout.live import emitted

    here = emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="half", extra="monitoring: {every: 100ms}\n")
    take_stage(here.plan, here.place, "half")
    now = datetime.now(UTC).replace(microsecond=0)
    assert [_watched_once(here, now) for _ in range(2)] == [False, False]
    later = now + timedelta(seconds=2)  # 3 windows of 100 ms, twice: 600 ms
    assert [_watched_once(here, later) for _ in range(3)] == [False, False, True]


def test_a_streak_of_another_stage_is_forgotten(here: Site) -> None:
    take_stage(here.plan, here.place, "half")
    now = datetime.now(UTC)
    assert [_watched_once(here, now) for _ in range(2)] == [False, False]
    state = here.place.state()
    assert state is not None
    here.place.keep_state(msgspec.structs.replace(state, since=instant(now + timedelta(seconds=1))))
    assert not _watched_once(here, now + timedelta(seconds=1))


def test_it_never_goes_back_twice(here: Site) -> None:
    take_stage(here.plan, here.place, "half")
    roll_back(here.plan, here.place, "by hand")
    watch = Watch(here.plan, here.place, scripted(*failing(5)), Options(apply=True), print)
    with pytest.raises(EOFError):
        watch.run()
    state = here.place.state()
    assert state is not None
    assert state.lock is not None
    assert state.lock.reason == "by hand"
    assert [line["event"] for line in here.place.journaled(10)].count("done") == 2


def test_a_gateway_that_does_not_answer_neither_counts_nor_resets(here: Site) -> None:
    take_stage(here.plan, here.place, "half")
    counts = failing(5)
    reader = scripted(counts[0], counts[1], None, None, counts[2], counts[3])
    watch = Watch(here.plan, here.place, reader, Options(apply=True), print)
    assert watch.run()
    assert watch.windows == {"breach": 3, "inconclusive": 2}
    assert watch.rolled_back


def test_a_state_that_cannot_be_read_is_gone_back_from(here: Site) -> None:
    take_stage(here.plan, here.place, "half")
    (here.place.directory / "state.json").write_text("{")
    assert Watch(here.plan, here.place, scripted(*failing(5)), Options(apply=True), print).run()
    state = here.place.state()
    assert state is not None
    assert (state.stage, state.lock is not None) == ("back", True)


def test_a_stage_file_that_is_damaged_is_gone_back_from(here: Site) -> None:
    take_stage(here.plan, here.place, "half")
    (here.directory / "rds.json").write_bytes(b"\xff")
    assert Watch(here.plan, here.place, scripted(*failing(5)), Options(apply=True), print).run()
    back = here.directory / "stages" / "back" / "rds.json"
    assert (here.directory / "rds.json").read_text() == back.read_text()


def test_the_command_gets_the_reason_and_the_stage_stays(here: Site, tmp_path: Path) -> None:
    take_stage(here.plan, here.place, "half")
    told = tmp_path / "told"
    options = Options(command=f'echo "$LLMMIGRATE_REASON" > {told}')
    assert Watch(here.plan, here.place, scripted(*failing(5)), options, print).run()
    assert told.read_text().strip() == "50 of 100 attempts failed, limit 5 %"
    state = here.place.state()
    assert state is not None
    assert state.stage == "half"


def test_a_change_lock_that_another_process_holds_delays_the_rollback(here: Site) -> None:
    take_stage(here.plan, here.place, "half")
    said: list[str] = []
    counts = [*failing(4), Counts(400, 150, 400, 0, 0)]  # the last window is good, and the rollback is due all the same
    read, held = scripted(*counts), contextlib.ExitStack()
    held.enter_context(here.place.alone())

    def until_the_fifth() -> Counts:
        found = read()
        if found == counts[4]:
            held.close()
        return found

    watch = Watch(here.plan, here.place, until_the_fifth, Options(apply=True), said.append)
    assert watch.run()
    state = here.place.state()
    assert state is not None
    assert state.lock is not None
    assert (state.stage, state.lock.reason) == ("back", "50 of 100 attempts failed, limit 5 %")
    due = [line for line in said if "another llmmigrate changes the stage now" in line]
    assert len(due) == 1
    assert "tried again at the next look" in due[0]


def test_a_command_that_fails_leaves_the_rollback_due_and_is_tried_again(here: Site, tmp_path: Path) -> None:
    take_stage(here.plan, here.place, "half")
    tries = tmp_path / "tries"
    command = f"echo x >> {tries}; test $(wc -l < {tries}) -eq 3"
    seen: list[str] = []
    watch = Watch(
        here.plan,
        here.place,
        scripted(*failing(7)),
        Options(command=command),
        lambda _: seen.append(here.place.read("watch.json", Report).verdict),
    )
    assert watch.run()
    assert tries.read_text() == "x\n" * 3
    assert "due" in seen
    assert "rolled_back" not in seen
    assert here.place.read("watch.json", Report).verdict == "rolled_back"
    codes = [line["code"] for line in here.place.journaled(20) if line["event"] == "handed_over"]
    assert codes == [1, 1, 0]
    assert [line["event"] for line in here.place.journaled(20)].count("alert") == 2


def test_what_is_only_told_is_due_and_not_rolled_back(here: Site) -> None:
    take_stage(here.plan, here.place, "half")
    watch = Watch(here.plan, here.place, scripted(*failing(5)), Options(), print)
    assert not watch.run()
    assert watch.due == "50 of 100 attempts failed, limit 5 %"
    assert here.place.read("watch.json", Report).verdict == "due"
    assert "rolled_back" not in watch.windows
    state = here.place.state()
    assert state is not None
    assert state.lock is None


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("envoy", "hello"),
        ("envoy", '{"x": 1}'),
        ("envoy", "[]"),
        ("litellm", "hello"),
        ("litellm", "llmmigrate_target_attempts_total 5\n"),
        ("litellm", 'litellm_deployment_success_responses_total{model_id="target-o3"} NaN\n'),
    ],
)
def test_a_page_that_holds_no_counts_is_said_and_undecided(kind: str, page: str, tmp_path: Path) -> None:
    said, latest = asyncio.run(_odd_page(kind, page, tmp_path))
    assert "no counts of the target can be read at" in said[0]
    assert latest is not None
    assert (latest.verdict, latest.reasons) == ("inconclusive", ["the gateway gave no counts"])


async def _odd_page(kind: str, page: str, directory: Path) -> tuple[list[str], Report | None]:
    from tests.rollout.live import emitted

    async def answer(request: Request, reply: Reply) -> None:
        await reply.send(200, page.encode(), {"content-type": "text/plain"})

    ports = await free_ports(5)
    here = emitted(directory, kind, ports, stage="half", extra="monitoring: {every: 10ms}\n")
    metrics = Listening(answer)
    address = here.plan.gateway.admin if kind == "envoy" else here.plan.gateway.listen
    await metrics.start(int(address.rpartition(":")[2]))
    said: list[str] = []
    watch = _watch(here, Options(once=True), said.append)
    try:
        await asyncio.to_thread(watch.run)
    finally:
        metrics.stop()
    return said, watch.latest


def test_it_shows_its_verdict_and_metrics(here: Site) -> None:
    verdict, metrics, missing = asyncio.run(_shown(here))
    found = json.loads(verdict)
    assert (found["verdict"], found["streak"], found["window"]["errors"]) == ("breach", 1, 50)
    assert 'llmmigrate_windows_total{verdict="breach"} 1' in metrics.decode()
    assert b"/verdict" in missing


async def _shown(here: Site) -> list[bytes]:
    (port,) = await free_ports(1)
    seen: list[bytes] = []

    def ask_then_end() -> Counts:
        counts = failing(3)[min(len(seen), 2)]
        if watch.latest is not None:
            seen.extend(asyncio.run(_pages(port)))
            raise EOFError
        seen.append(b"") if not seen else None
        return counts

    watch = Watch(here.plan, here.place, ask_then_end, Options(address=("127.0.0.1", port)), print)
    with pytest.raises(EOFError):
        await asyncio.to_thread(watch.run)
    return seen[1:]


async def _pages(port: int) -> list[bytes]:
    return [await _get(port, path) for path in ("/verdict", "/metrics", "/")]


async def _get(port: int, path: str) -> bytes:
    pieces: list[bytes] = []
    request = Request("GET", path, {"host": "watch", "connection": "close"}, b"")
    await ask(port, request, timeout=5, on_piece=pieces.append)
    return b"".join(pieces)


def test_a_port_that_is_taken_is_said(here: Site) -> None:
    async def run() -> Any:
        (port,) = await free_ports(1)
        taken = Listening(lambda *_: asyncio.sleep(0))
        await taken.start(port)
        watch = Watch(here.plan, here.place, scripted(), Options(address=("127.0.0.1", port)), print)
        try:
            await watch._run()
        finally:
            taken.stop()

    with pytest.raises(GatewayError, match="cannot listen on"):
        asyncio.run(run())


def test_a_watch_without_a_gateway_is_undecided(here: Site, llmmigrate: Callable[..., Any]) -> None:
    done = llmmigrate("rollout", "watch", str(here.path), "--once")
    assert done.code == 3
    assert "Envoy does not answer at 127.0.0.1:5" in done.err
