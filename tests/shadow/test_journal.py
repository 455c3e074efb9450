import asyncio
import errno
import os
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import llmmigrate.shadow.journal as journal_module
from llmmigrate.errors import InputError
from llmmigrate.shadow.journal import Journal


def result(key: str, failure: str | None = None) -> dict[str, Any]:
    return {
        "type": "result", "key": key, "side": "target", "arm": {"failure": failure} if failure else {},
        "charged": Decimal(0), "tokens": 0,
    }  # fmt: skip


def test_what_was_written_is_there_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"

    async def first() -> None:
        with Journal(path) as journal:
            journal.note({"type": "begin"})
            await asyncio.gather(
                *(journal.intend({"type": "intent", "key": str(n), "worst": "0.5", "tokens": 9}) for n in range(20))
            )
            for number in range(15):
                journal.note(result(str(number)) | {"charged": Decimal("0.10"), "tokens": 3})

    asyncio.run(first())
    with Journal(path) as journal:
        past = journal.past()
        assert list(journal.records("begin")) == [{"type": "begin"}]
        assert set(past.results) == {str(n) for n in range(15)}
        assert set(past.ambiguous) == {str(n) for n in range(15, 20)}
        assert journal.record_at(past.results["7"])["charged"] == "0.10"
        assert past.charged == 15 * Decimal("0.10") + 5 * Decimal("0.5")
        assert past.tokens == 15 * 3 + 5 * 9


@pytest.mark.parametrize(("quick", "threads"), [(60.0, 0), (0.0, 1)], ids=["quick disk", "slow disk"])
def test_an_intent_is_on_the_disk_when_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: float, threads: int
) -> None:
    """What waits together is synced together; a slow disk is asked in a thread."""
    path = tmp_path / "journal.jsonl"
    synced: list[tuple[int, bool]] = []
    sync = os.fsync

    def fsync(handle: int) -> None:
        synced.append((path.read_bytes().count(b"\n"), threading.current_thread() is not threading.main_thread()))
        sync(handle)

    async def intend(journal: Journal, key: str) -> None:
        await journal.intend({"type": "intent", "key": key})
        assert f'{{"type":"intent","key":"{key}"}}\n' in path.read_text()
        assert path.read_bytes().count(b"\n") <= synced[-1][0]

    async def run() -> None:
        monkeypatch.setattr(journal_module, "QUICK", quick)
        monkeypatch.setattr(os, "fsync", fsync)
        with Journal(path) as journal:
            await asyncio.gather(intend(journal, "a"), intend(journal, "b"), intend(journal, "c"))
            assert synced == [(3, bool(threads))]

    asyncio.run(run())


def test_a_disk_that_turns_slow_is_waited_for_in_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One slow wait says nothing; and a disk that is quick again is waited for on the spot again."""
    on_the_spot: list[bool] = []
    clock = iter(range(10**6))

    def fsync(handle: int) -> None:
        on_the_spot.append(threading.current_thread() is threading.main_thread())

    async def run() -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        with Journal(tmp_path / "journal.jsonl") as journal:
            monkeypatch.setattr(time, "perf_counter", lambda: next(clock) / 10)  # 100 ms a sync
            for number in range(5):
                await journal.intend({"type": "intent", "key": f"slow {number}"})
            monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
            for number in range(100):
                await journal.intend({"type": "intent", "key": str(number)})

    asyncio.run(run())
    assert on_the_spot[:5] == [True, True, True, False, False]
    assert on_the_spot[5:55] == [False] * 50
    assert on_the_spot[85:105] == [True] * 20


@pytest.mark.parametrize("quick", [60.0, 0.0], ids=["quick disk", "slow disk"])
def test_an_intent_that_does_not_reach_the_disk_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: float
) -> None:
    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async def run() -> None:
        monkeypatch.setattr(journal_module, "QUICK", quick)
        with Journal(tmp_path / "journal.jsonl") as journal:
            monkeypatch.setattr(os, "fsync", broken)
            await journal.intend({"type": "intent", "key": "a"})

    with pytest.raises(InputError, match=r"journal\.jsonl cannot be written"):
        asyncio.run(run())


@pytest.mark.parametrize("quick", [60.0, 0.0], ids=["quick disk", "slow disk"])
def test_nobody_hears_of_a_journal_that_was_closed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: float
) -> None:
    """A run that fails cancels what waits, and closes the journal before the loop has heard of the last sync."""
    monkeypatch.setattr(journal_module, "QUICK", quick)
    unheard: list[dict[str, Any]] = []

    async def broken_off() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: unheard.append(what))
        with Journal(tmp_path / "journal.jsonl") as journal:
            tasks = [asyncio.ensure_future(journal.intend({"type": "intent", "key": "1"}))]
            for turns in (2, 1):  # one batch is under way, the next one waits
                for _ in range(turns):
                    await asyncio.sleep(0)
                tasks.append(asyncio.ensure_future(journal.intend({"type": "intent", "key": "2"})))
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
        await asyncio.sleep(0.05)

    asyncio.run(broken_off())
    assert unheard == []


@pytest.mark.parametrize("tail", [b'{"type":"resul', b"\xff\x00", b"x" * 200_000])
def test_a_torn_last_line_is_dropped_and_said(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    intent = b'{"type":"intent","key":"a","worst":"1","tokens":1}\n'
    path.write_bytes(intent + tail)
    with Journal(path) as journal:
        past = journal.past()
        journal.note({"type": "result", "key": "a"})
    assert past.torn
    assert set(past.ambiguous) == {"a"}
    assert path.read_bytes() == intent + b'{"type":"result","key":"a"}\n'


@pytest.mark.parametrize("line", [b"nonsense", b"7", b"[]"])
def test_a_line_that_is_damaged_in_the_middle_is_an_error_with_its_place(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"type":"begin"}\n' + line + b'\n{"type":"end"}\n')
    with Journal(path) as journal, pytest.raises(InputError) as caught:
        journal.past()
    assert caught.value.where is not None
    assert caught.value.where.line == 2


def test_a_second_holder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path), pytest.raises(InputError, match="in use"):
        Journal(path)


def test_failures_of_an_outage_are_told_apart_from_those_before_it(tmp_path: Path) -> None:
    """Also when the start after the outage was killed: what it has not asked again is still no evidence."""
    with Journal(tmp_path / "journal.jsonl") as journal:
        for key, failure in (("a", "server"), ("b", None), ("c", "server"), ("d", "breaker"), ("e", "connection")):
            journal.note(result(key, failure))
        assert not journal.past().outage
        journal.note({"type": "end", "reason": "infrastructure"})
        journal.note(result("f", "server"))
        assert journal.past().outage == {"c", "e"}
