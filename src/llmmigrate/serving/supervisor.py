"""Runs an engine: starts it in a process group of its own, waits until it answers, restarts it, leaves nothing behind.

The engine runs under `guard`, so that it also ends when llmmigrate is killed. What it prints goes to a file.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from llmmigrate.endpoints.http import HttpError, get_json, post_json
from llmmigrate.errors import ServingError
from llmmigrate.serving.engines import Phase

TAIL_LINES: Final = 20
"""Lines of the log that are shown when an engine fails."""
KILL_SECONDS: Final = 10.0
"""How long killed processes may take to go; one that waits inside a driver goes when the driver lets it."""
_LINE_END: Final = re.compile(rb"[\r\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long to wait for what, in seconds, and how often to try again."""

    start: float = 3600.0
    """For the engine to answer: weights may have to be downloaded."""
    answer: float = 300.0
    """For the first answer of the model."""
    poll: float = 0.25
    probe: float = 5.0
    """For one look at its health."""
    watch: float = 10.0
    """Between two looks once it is ready."""
    misses: int = 6
    """Looks in a row without an answer after which it counts as hung."""
    stop: float = 20.0
    """For ending by itself before it is killed."""
    restarts: int = 3
    backoff: float = 1.0
    """Before the first restart; twice as long before each further one."""
    steady: float = 600.0
    """A run that lasted this long starts the count of restarts anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An engine to run and how to reach it."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    """Holds the key, too."""
    directory: str | None
    log: Path
    root_url: str
    """Without `/v1`."""
    served_model: str
    key: str | None = field(repr=False)
    phases: tuple[Phase, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Running:
    """A started engine. `pid` is the guard's, and the number of the process group."""

    process: "subprocess.Popen[bytes]"
    lifeline: int
    """Our end of the guard's pipe."""
    started: float
    read: int = 0
    """Bytes of the log that were looked at."""
    phase: str = ""


Tell = Callable[[str], None]
"""Takes a sentence for people."""


def supervise(
    job: Job,
    policy: Policy,
    stop: threading.Event,
    *,
    tell: Tell,
    show_log: Callable[[Sequence[str]], None],
    on_ready: Callable[[float], None],
) -> None:
    """Run an engine until `stop` is set, restarting it when it crashes or hangs.

    `on_ready` is called with the seconds it took whenever it answers. Raises ServingError when it cannot be started or
    fails too often, after its last lines were given to `show_log`; KeyboardInterrupt when stopped before it was ready.
    """
    failures, ready = 0, False
    while True:
        running = _start(job, policy)
        try:
            waited = _wait_ready(job, running, policy, stop, tell)
            if waited is None:
                break
            ready = True
            on_ready(waited)
            fault = _watch(job, running, policy, stop)
            if fault is None:
                break
            failures = 1 if time.monotonic() - running.started > policy.steady else failures + 1
            if failures > policy.restarts:
                raise _failed(job, fault, why=f"it was restarted {policy.restarts} times")
            pause = policy.backoff * 2 ** (failures - 1)
            tell(f"{fault}; restart {failures} of {policy.restarts} in {pause:g} s")
        except ServingError:
            show_log(tail(job.log))
            raise
        finally:
            _end(running, policy)
        if stop.wait(pause):
            return
    if not ready:
        raise KeyboardInterrupt


def tail(log: Path, lines: int = TAIL_LINES) -> list[str]:
    """The last lines of a log, as a terminal would show them: of a bar that redraws itself its last state."""
    if not log.exists():
        return []
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 65536))
        rows = (row.rstrip(b"\r").rpartition(b"\r")[2] for row in stream.read().split(b"\n"))
        return list(deque((row.decode(errors="replace") for row in rows if row.strip()), maxlen=lines))


def _start(job: Job, policy: Policy) -> _Running:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    guard = [sys.executable, "-m", "llmmigrate.serving.guard", str(reading), str(policy.stop)]
    try:
        with job.log.open("ab") as log:
            begin = log.tell()
            process = subprocess.Popen(
                [*guard, *job.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **job.environment},
                cwd=job.directory,
                start_new_session=True,
                pass_fds=(reading,),
            )
    except OSError:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    return _Running(process=process, lifeline=writing, started=time.monotonic(), read=begin)


def _wait_ready(job: Job, running: _Running, policy: Policy, stop: threading.Event, tell: Tell) -> float | None:
    """Seconds until the model gave its first answer; None when `stop` was set before."""
    deadline = running.started + policy.start
    while not stop.wait(policy.poll):
        code = running.process.poll()
        if code is not None:
            raise _failed(job, f"the engine ended with exit code {code} before it was ready")
        _tell_phase(job, running, tell)
        if _healthy(job, policy):
            if not _answered(job, policy, stop):
                return None
            _tell_phase(job, running, tell)
            return time.monotonic() - running.started
        if time.monotonic() > deadline:
            why = f"last seen: {running.phase}" if running.phase else None
            raise _failed(job, f"the engine was not ready within {policy.start:g} s", why=why)
    return None


def _answered(job: Job, policy: Policy, stop: threading.Event) -> bool:
    """Whether the model has given its first answer before `stop` was set. ServingError when it cannot give one."""
    faults: list[ServingError] = []

    def ask() -> None:
        try:
            _first_answer(job, policy)
        except ServingError as error:
            faults.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    while asking.is_alive():
        if stop.wait(policy.poll):
            return False
    if faults:
        raise faults[0]
    return True


def _first_answer(job: Job, policy: Policy) -> None:
    """ServingError unless the model answers with one token: a server may be up and its model broken."""
    body = {"model": job.served_model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    try:
        reply = post_json(f"{job.root_url}/v1/chat/completions", body, key=job.key, seconds=policy.answer)
    except HttpError as error:
        raise _failed(job, "the engine is up, but the model does not answer", why=str(error)) from error
    if reply.status != 200:
        raise _failed(job, f"the engine is up, but the model answers HTTP {reply.status}", why=str(reply.body)[:300])


def _failed(job: Job, what: str, *, why: str | None = None) -> ServingError:
    return ServingError(what, why=why, fix=f"see {job.log}", code="engine")


def _watch(job: Job, running: _Running, policy: Policy, stop: threading.Event) -> str | None:
    """Look after a ready engine: what went wrong with it, None when `stop` was set."""
    misses, looked = 0, time.monotonic()
    while not stop.wait(policy.poll):
        code = running.process.poll()
        if code is not None:
            return f"the engine ended with exit code {code}"
        if time.monotonic() - looked < policy.watch:
            continue
        misses = 0 if _healthy(job, policy) else misses + 1
        looked = time.monotonic()
        if misses >= policy.misses:
            return f"the engine did not answer {misses} times in a row"
    return None


def _healthy(job: Job, policy: Policy) -> bool:
    try:
        return get_json(f"{job.root_url}/health", key=job.key, seconds=policy.probe).status == 200
    except HttpError:
        return False


def _tell_phase(job: Job, running: _Running, tell: Tell) -> None:
    """Tell the phase that the new lines of the log show, in steps of 10 per cent."""
    with job.log.open("rb") as log:
        log.seek(running.read)
        new = log.read()
    running.read += len(new)
    for line in _LINE_END.split(new):
        text = line.decode(errors="replace")
        for phase in job.phases:
            match = phase.pattern.search(text)
            if match is None:
                continue
            share = match[1] if match.groups() and match[1] else None
            words = phase.name if share is None else f"{phase.name}, {int(share) // 10 * 10} %"
            if words != running.phase:
                running.phase = words
                tell(f"{words} ({time.monotonic() - running.started:.0f} s)")
            break


def _end(running: _Running, policy: Policy) -> None:
    """End the process group: by SIGTERM, after `policy.stop` by SIGKILL; nothing of it is left."""
    group = running.process.pid
    _signal(group, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.process.wait(timeout=policy.stop)
    _signal(group, signal.SIGKILL)
    running.process.wait()
    os.close(running.lifeline)
    deadline = time.monotonic() + KILL_SECONDS
    while _lives(group) and time.monotonic() < deadline:
        time.sleep(policy.poll)


def _lives(group: int) -> bool:
    """Whether a process of the group still runs: one that was killed goes a moment later."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
