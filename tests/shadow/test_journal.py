import asyncio
import errno
import os
import resource
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import llmmigrate.shadow.journal as journal_module
from llmmigrate.errors import InputError
from llmmigrate.shadow.journal import Journal, boot


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
            for number in range(20):
                journal.note({"type": "sent", "key": str(number)})
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


def test_what_answers_have_cost_is_told_apart_from_worst_cases(tmp_path: Path) -> None:
    paid = result("a") | {"arm": {"tokens": {"input": 2, "output": 1}, "cost": "0.2"}, "charged": Decimal("0.2")}
    estimated = {"tokens": {"input": 2, "output": 1, "estimated": True}, "cost": "0.3"}
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.note(paid)
        journal.note(result("b") | {"arm": estimated, "charged": Decimal("0.7")})
        journal.note(result("c", "timeout_read") | {"charged": Decimal("0.7")})
        past = journal.past()
    assert (past.known, past.charged) == (Decimal("0.2"), Decimal("1.6"))


def test_an_intent_is_on_the_disk_when_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes together is synced together, and the loop goes on meanwhile."""
    path = tmp_path / "journal.jsonl"
    synced: list[int] = []
    sync = os.fsync

    def fsync(handle: int) -> None:
        synced.append(path.read_bytes().count(b"\n"))
        assert threading.current_thread() is not threading.main_thread()
        sync(handle)

    async def intend(journal: Journal, *keys: str) -> None:
        await journal.intend(*({"type": "intent", "key": key} for key in keys))
        for key in keys:
            assert f'{{"type":"intent","key":"{key}"}}\n' in path.read_text()
        assert path.read_bytes().count(b"\n") <= synced[-1]

    async def run() -> None:
        with Journal(path) as journal:
            monkeypatch.setattr(os, "fsync", fsync)
            await asyncio.gather(intend(journal, "a", "b"), intend(journal, "c"), intend(journal, "d", "e"))
            assert synced == [5]
            await intend(journal, "f")
            assert synced == [5, 6]
            monkeypatch.setattr(os, "fsync", sync)

    asyncio.run(run())


def test_what_comes_while_the_disk_is_busy_is_synced_together_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = 0
    go = threading.Event()

    def fsync(handle: int) -> None:
        nonlocal syncs
        syncs += 1
        assert go.wait(60)

    async def run() -> None:
        with Journal(tmp_path / "journal.jsonl") as journal:
            monkeypatch.setattr(os, "fsync", fsync)
            intents = [asyncio.ensure_future(journal.intend({"type": "intent", "key": "0"}))]
            while not syncs:
                await asyncio.sleep(0.001)
            for number in range(1, 10):
                intents.append(asyncio.ensure_future(journal.intend({"type": "intent", "key": str(number)})))
                await asyncio.sleep(0)
            assert not any(intent.done() for intent in intents)
            go.set()
            await asyncio.gather(*intents)
            assert syncs == 2

    asyncio.run(run())


def test_an_intent_that_does_not_reach_the_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async def run() -> None:
        with Journal(tmp_path / "journal.jsonl") as journal:
            monkeypatch.setattr(os, "fsync", broken)
            await journal.intend({"type": "intent", "key": "a"})

    with pytest.raises(InputError, match=r"journal\.jsonl cannot be written"):
        asyncio.run(run())


def test_nothing_follows_a_line_that_was_not_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a full disk has room again, the next line must not stand in the middle of the last one."""
    path = tmp_path / "journal.jsonl"

    def one_that_fits() -> None:
        with Journal(path) as journal:
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (30, hard))
            try:
                journal.note({"type": "begin"})
                with pytest.raises(InputError, match="cannot be written"):
                    journal.note({"type": "x" * 100})
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            with pytest.raises(InputError, match="cannot be written"):
                journal.note({"type": "next"})

    one_that_fits()
    with Journal(path) as journal:
        assert [record["type"] for record in journal.records("begin")] == ["begin"]
        assert list(journal.records("next")) == []


def test_nobody_hears_of_a_journal_that_was_closed_meanwhile(tmp_path: Path) -> None:
    """A run that fails cancels what waits, and closes the journal before the loop has heard of the last sync."""
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


def intent(key: str, worst: str = "1") -> dict[str, Any]:
    return {"type": "intent", "key": key, "worst": worst, "tokens": 10}


def sent(key: str) -> dict[str, Any]:
    return {"type": "sent", "key": key}


def given_up(key: str, charged: str = "0") -> dict[str, Any]:
    return {"type": "given_up", "key": key, "charged": Decimal(charged), "tokens": 0}


START = {"type": "start", "boot": "this"}
BEFORE = {"type": "start", "boot": "before"}
UNKNOWN = {"type": "start", "boot": None}


@pytest.mark.parametrize(
    ("records", "ambiguous", "charged"),
    [
        pytest.param([START, intent("a")], "", "0", id="not sent"),
        pytest.param([START, intent("a"), intent("b"), sent("b")], "b", "1", id="one of two was sent"),
        pytest.param([START, intent("a"), sent("a"), result("a")], "", "0", id="answered"),
        pytest.param([START, intent("a"), sent("a"), intent("a", "2")], "a", "2", id="a second attempt"),
        pytest.param([START, intent("a"), given_up("a")], "", "0", id="given up before it was sent"),
        pytest.param([START, intent("a"), sent("a"), given_up("a", "1")], "", "1", id="given up after an attempt"),
        pytest.param([START, intent("a"), given_up("a"), intent("a")], "", "0", id="given back, and intended again"),
        pytest.param([START, intent("a"), sent("a"), given_up("a", "1"), START, intent("a")], "", "1", id="and later"),
        pytest.param([BEFORE, intent("a")], "a", "1", id="the machine was started since"),
        pytest.param([BEFORE, intent("a"), given_up("a")], "", "0", id="given up before the machine was started"),
        pytest.param([BEFORE, intent("a"), START, intent("b")], "a", "1", id="only the earlier one may be lost"),
        pytest.param([BEFORE, intent("a"), START, intent("a", "2")], "a", "2", id="resent, and not sent yet"),
        pytest.param([START, intent("a"), sent("a"), START, intent("a", "2")], "a", "2", id="resent on the same day"),
        pytest.param([START, intent("a"), START, intent("b")], "", "0", id="two starts while the machine was up"),
        pytest.param([START, intent("a"), BEFORE], "a", "1", id="to another machine"),
        pytest.param([START, intent("a"), BEFORE, START], "a", "1", id="to another machine and back"),
        pytest.param([intent("a")], "a", "1", id="written by an older version"),
        pytest.param([intent("a"), START, intent("b")], "a", "1", id="begun by an older version"),
        pytest.param([UNKNOWN, intent("a")], "a", "1", id="a system that does not tell"),
    ],
)
def test_what_may_have_been_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records: list[dict[str, Any]], ambiguous: str, charged: str
) -> None:
    (tmp_path / "boot").write_text("this\n")
    monkeypatch.setattr(journal_module, "BOOT", tmp_path / "boot")
    with Journal(tmp_path / "journal.jsonl") as journal:
        for record in records:
            journal.note(record)
        past = journal.past()
    assert set(past.ambiguous) == set(ambiguous)
    assert past.charged == Decimal(charged)


def test_where_no_system_tells_every_intent_may_have_been_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "BOOT", tmp_path / "nothing")
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.start()
        journal.note(intent("a"))
        assert set(journal.past().ambiguous) == {"a"}


def test_a_start_says_since_when_the_machine_is_up(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.start()
        journal.start()
        first, second = journal.records("start")
    assert first == second == {"type": "start", "boot": boot()}


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
