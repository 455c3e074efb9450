"""That an engine starts, fails, hangs and ends as it should, and that nothing of it is left behind after any of it."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.serving.launched import is_running, members

from llmmigrate.errors import ServingError
from llmmigrate.serving import supervisor
from llmmigrate.serving.engines import transformers
from llmmigrate.serving.ports import check_port
from llmmigrate.serving.supervisor import Job, Policy, supervise, tail

ENGINE = Path(__file__).with_name("engine.py")
QUICK = Policy(start=60, poll=0.05, watch=0.2, probe=5.0, misses=3, stop=1.0, restarts=2, backoff=0.05, answer=20)
IMPATIENT = dataclasses.replace(QUICK, probe=1.0, misses=2)


class Told:
    """What a run told, and the process groups that it started. `order`: a file that is made whenever one is ready."""

    def __init__(self) -> None:
        self.order: Path | None = None
        self.words: list[str] = []
        self.log: list[str] = []
        self.ready: list[float] = []
        self.groups: list[int] = []

    def note_ready(self, seconds: float) -> None:
        self.ready.append(seconds)
        if self.order is not None:
            self.order.touch()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told, start = Told(), supervisor._start

    def noting(*arguments: Any) -> Any:
        running = start(*arguments)
        told.groups.append(running.process.pid)
        return running

    monkeypatch.setattr(supervisor, "_start", noting)
    return told


def job_for(port: int, log: Path, *options: str, key: str | None = None) -> Job:
    return Job(
        arguments=(sys.executable, str(ENGINE), str(port), *options),
        environment={"ENGINE_KEY": key} if key else {},
        directory=None,
        log=log,
        root_url=f"http://127.0.0.1:{port}",
        served_model="tiny",
        key=key,
        phases=transformers.PHASES,
    )


def run(job: Job, told: Told, *, policy: Policy = QUICK, stop_when: Callable[[], bool] = lambda: False) -> None:
    """Supervise until `stop_when` holds; at most two minutes."""
    stop = threading.Event()

    def look() -> None:
        deadline = time.monotonic() + 120
        while not stop.is_set() and not stop_when() and time.monotonic() < deadline:
            time.sleep(0.02)
        stop.set()

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        supervise(job, policy, stop, tell=told.words.append, show_log=told.log.extend, on_ready=told.note_ready)
    finally:
        stop.set()
        watcher.join()
        assert [group for group in told.groups if members(group)] == []


def test_an_engine_is_ready_once_its_model_answers_and_ends_when_asked(port: int, tmp_path: Path, told: Told) -> None:
    job = job_for(port, tmp_path / "engine.log")
    run(job, told, stop_when=lambda: bool(told.ready))
    assert len(told.ready) == 1
    assert any(words.startswith("loading weights, 100 %") for words in told.words)
    assert told.log == []


def test_a_start_that_fails_shows_the_last_twenty_lines(port: int, tmp_path: Path, told: Told) -> None:
    with pytest.raises(ServingError, match="exit code 3 before it was ready"):
        run(job_for(port, tmp_path / "engine.log", "exit=3"), told)
    assert told.log == [*(f"line {number}" for number in range(11, 30)), "Loading weights: 100%|###|"]


def test_a_start_that_takes_too_long_is_given_up(port: int, tmp_path: Path, told: Told) -> None:
    policy = Policy(start=3.0, poll=0.05, stop=1.0)
    with pytest.raises(ServingError, match="not ready within 3 s") as failure:
        run(job_for(port, tmp_path / "engine.log", "silent"), told, policy=policy)
    assert failure.value.why == "last seen: loading weights, 100 %"


def test_a_server_whose_model_is_broken_is_not_ready(port: int, tmp_path: Path, told: Told) -> None:
    with pytest.raises(ServingError, match="the model answers HTTP 500"):
        run(job_for(port, tmp_path / "engine.log", "broken"), told)
    assert told.ready == []


def test_a_crash_is_answered_with_a_restart_up_to_the_limit(port: int, tmp_path: Path, told: Told) -> None:
    told.order = tmp_path / "crash"
    with pytest.raises(ServingError, match="ended with exit code 7") as failure:
        run(job_for(port, tmp_path / "engine.log", f"crash={told.order}"), told)
    assert (len(told.ready), len(told.groups)) == (3, 3)
    assert failure.value.why == "it was restarted 2 times"
    assert "the engine ended with exit code 7; restart 1 of 2 in 0.05 s" in told.words
    assert "the engine ended with exit code 7; restart 2 of 2 in 0.1 s" in told.words


def test_a_hung_engine_is_killed_and_started_anew(port: int, tmp_path: Path, told: Told) -> None:
    told.order = tmp_path / "hang"
    job = job_for(port, tmp_path / "engine.log", f"hang={told.order}")
    run(job, told, policy=IMPATIENT, stop_when=lambda: len(told.ready) == 2)
    assert "the engine did not answer 2 times in a row; restart 1 of 2 in 0.05 s" in told.words


def test_an_engine_killed_from_outside_is_started_anew(port: int, tmp_path: Path, told: Told) -> None:
    killed: list[int] = []

    def kill_once() -> bool:
        if told.ready and not killed:
            killed.append(next(child.pid for child in psutil.Process(told.groups[0]).children()))
            os.kill(killed[0], signal.SIGKILL)
        return len(told.ready) == 2

    run(job_for(port, tmp_path / "engine.log"), told, stop_when=kill_once)
    assert "the engine ended with exit code 137; restart 1 of 2 in 0.05 s" in told.words


def test_an_engine_that_will_not_end_is_killed_with_its_children(port: int, tmp_path: Path, told: Told) -> None:
    child = tmp_path / "child"
    job = job_for(port, tmp_path / "engine.log", "stubborn", f"child={child}")
    run(job, told, stop_when=lambda: bool(told.ready))
    assert not is_running(int(child.read_text()))


def test_children_that_outlive_a_crash_are_ended(port: int, tmp_path: Path, told: Told) -> None:
    child = tmp_path / "child"
    with pytest.raises(ServingError):
        run(job_for(port, tmp_path / "engine.log", f"child={child}", "exit=1"), told)
    assert not is_running(int(child.read_text()))


def test_stopping_during_the_start_is_an_interruption(port: int, tmp_path: Path, told: Told) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(job_for(port, tmp_path / "engine.log", "silent"), told, stop_when=lambda: bool(told.words))


def test_stopping_while_the_first_answer_is_awaited_does_not_wait_for_it(port: int, tmp_path: Path, told: Told) -> None:
    asked = tmp_path / "asked"
    job = job_for(port, tmp_path / "engine.log", f"stuck={asked}")
    with pytest.raises(KeyboardInterrupt):
        run(job, told, policy=dataclasses.replace(QUICK, answer=100), stop_when=asked.exists)
    assert told.ready == []


def test_a_key_reaches_the_engine_and_no_log(port: int, tmp_path: Path, told: Told) -> None:
    job = job_for(port, tmp_path / "engine.log", "key=ENGINE_KEY", key="k-secret")
    run(job, told, stop_when=lambda: bool(told.ready))
    assert told.ready
    assert "k-secret" not in (tmp_path / "engine.log").read_text() + repr(job) + "".join(told.words)
    assert "k-secret" not in " ".join(job.arguments)


def test_nothing_is_left_when_llmmigrate_itself_is_killed(port: int, tmp_path: Path) -> None:
    program = (
        "import sys, threading, pathlib; from llmmigrate.serving.supervisor import Job, Policy, supervise\n"
        "engine, port, log = sys.argv[1:]\n"
        "job = Job(arguments=(sys.executable, engine, port, 'stubborn'), environment={}, directory=None,\n"
        "  log=pathlib.Path(log), root_url=f'http://127.0.0.1:{port}', served_model='m', key=None)\n"
        "supervise(job, Policy(poll=0.05, stop=0.5), threading.Event(), tell=print, show_log=print,\n"
        "  on_ready=lambda _: print('ready', flush=True))"
    )
    arguments = [sys.executable, "-c", program, str(ENGINE), str(port), str(tmp_path / "engine.log")]
    owner = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    (guard,) = psutil.Process(owner.pid).children()
    assert members(guard.pid)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    deadline = time.monotonic() + 20
    while members(guard.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members(guard.pid) == []


def test_a_taken_port_is_told_with_its_process(port: int, tmp_path: Path) -> None:
    engine = subprocess.Popen([sys.executable, str(ENGINE), str(port)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                check_port("127.0.0.1", port)
                time.sleep(0.05)
            except ServingError as error:
                assert error.what.startswith(f"port {port} is taken by pid {engine.pid} (python")
                assert error.fix == f"stop it, or write --port {port + 1}"
                break
        else:
            raise AssertionError("the port was never taken")
    finally:
        engine.kill()
        engine.wait()


def test_a_log_is_shown_as_a_terminal_would(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"one\r\n\nLoading: 1%\rLoading: 2%\rLoading: 3%\nlast \xff\n")
    assert tail(log) == ["one", "Loading: 3%", "last �"]
    assert tail(tmp_path / "none") == []
