"""Calls whose end nobody sees: broken off, cancelled, never read, made by a forked process. A vendor bills them all."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from tests.recording.scripted import CHAT, FIRST, HEAD, LAST, chunk, records, upstream, whole

from llmmigrate.recording import Transport

STREAM: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "stream": True}


@contextmanager
def hanging(said: bytes, asked: threading.Event | None = None) -> Iterator[str]:
    """A vendor that says so much and then nothing more, until the block ends."""
    over = threading.Event()

    def script(connection: socket.socket, _: bytes) -> None:
        connection.sendall(said)
        if asked is not None:
            asked.set()
        assert over.wait(60)

    with upstream(script) as url:
        try:
            yield url
        finally:
            over.set()


async def break_off(client: openai.AsyncOpenAI) -> None:
    async for _ in await client.chat.completions.create(**STREAM):
        break


async def cancel_between_chunks(client: openai.AsyncOpenAI) -> None:
    first = asyncio.Event()

    async def read() -> None:
        async for _ in await client.chat.completions.create(**STREAM):
            first.set()
            await asyncio.Event().wait()

    await cancelled(read(), first)


async def cancel_while_reading(client: openai.AsyncOpenAI) -> None:
    first = asyncio.Event()

    async def read() -> None:
        async for _ in await client.chat.completions.create(**STREAM):
            first.set()

    await cancelled(read(), first)


async def cancelled(reading: Any, once: asyncio.Event) -> None:
    task = asyncio.create_task(reading)
    await once.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def read_nothing(client: openai.AsyncOpenAI) -> None:
    await client.chat.completions.create(**STREAM)


WAYS: list[Callable[[openai.AsyncOpenAI], Awaitable[None]]] = [
    break_off, cancel_between_chunks, cancel_while_reading, read_nothing,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_an_asynchronous_stream_that_is_left_is_recorded(
    tmp_path: Path, way: Callable[[openai.AsyncOpenAI], Awaitable[None]]
) -> None:
    (found,) = left(tmp_path / "run.jsonl", HEAD + chunk(FIRST), way)
    assert (found["error"], found["model"], found["input_tokens"]) == ("client_closed", "gpt-4o-mini", None)


def test_an_asynchronous_stream_left_after_its_last_event_is_no_failure(tmp_path: Path) -> None:
    (found,) = left(tmp_path / "run.jsonl", HEAD + chunk(FIRST + LAST), break_off)
    assert (found.get("error"), found["input_tokens"], found["output_tokens"]) == (None, 5, 2)


def left(path: Path, said: bytes, way: Callable[[openai.AsyncOpenAI], Awaitable[None]]) -> list[dict[str, Any]]:
    """What is recorded once the client is closed."""
    transport: Any = Transport(path)

    async def ask(url: str) -> None:
        http = httpx2.AsyncClient(transport=transport)
        client = openai.AsyncOpenAI(api_key="k", base_url=url, http_client=http, max_retries=0)
        await way(client)
        await client.close()

    with hanging(said) as url:
        asyncio.run(ask(url))
    assert (transport.recorder.counts.recorded, transport.recorder.counts.lost) == (1, {})
    return records(path)


def test_a_call_given_up_before_its_answer_is_recorded(tmp_path: Path) -> None:
    """`asyncio.wait_for` cancels the call: the request is out, and may be billed."""
    asked = threading.Event()

    async def wait(client: openai.AsyncOpenAI) -> None:
        call = asyncio.create_task(client.chat.completions.create(**STREAM))
        assert await asyncio.to_thread(asked.wait, 60)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 0.01)

    transport: Any = Transport(tmp_path / "run.jsonl")

    async def ask(url: str) -> None:
        http = httpx2.AsyncClient(transport=transport)
        async with openai.AsyncOpenAI(api_key="k", base_url=url, http_client=http, max_retries=0) as client:
            await wait(client)

    with hanging(b"", asked) as url:
        asyncio.run(ask(url))
    (found,) = records(tmp_path / "run.jsonl")
    assert (found["error"], found["model"]) == ("client_closed", "gpt-4o-mini")


def test_a_stream_that_is_never_read_is_recorded_without_a_duration(tmp_path: Path) -> None:
    transport: Any = Transport(tmp_path / "run.jsonl")
    with hanging(HEAD + chunk(FIRST)) as url:
        http = httpx2.Client(transport=transport)
        client = openai.OpenAI(api_key="k", base_url=url, http_client=http, max_retries=0)
        unread = client.chat.completions.create(**STREAM)
        client.close()
        unread.close()
    (found,) = records(tmp_path / "run.jsonl")
    assert (found["error"], "latency_ms" in found) == ("client_closed", False)


def test_an_unread_stream_of_a_client_that_is_never_closed_is_recorded_when_the_program_ends(tmp_path: Path) -> None:
    with hanging(HEAD + chunk(FIRST)) as url:
        run(tmp_path, url, f"unread = client.chat.completions.create(**{STREAM!r})")
    assert [record["error"] for record in records(tmp_path / "run.jsonl")] == ["client_closed"]


def test_a_call_after_the_end_of_the_recording_is_counted(tmp_path: Path) -> None:
    transport: Any = Transport(tmp_path / "run.jsonl")
    with upstream(whole) as url, httpx2.Client(transport=transport) as client:
        transport.recorder.close()
        assert client.post(f"{url}/chat/completions", content=CHAT).content == FIRST + LAST
    assert transport.recorder.counts.lost == {"the recording was closed before": 1}
    assert records(tmp_path / "run.jsonl") == []


PROGRAM = """
import json, multiprocessing, os, sys
import httpx2, openai
from llmmigrate.recording import Transport

transport = Transport(sys.argv[1])
http = httpx2.Client(transport=transport)
client = openai.OpenAI(api_key="k", base_url=sys.argv[2], http_client=http, max_retries=0)

def ask(number=0):
    return len(list(client.chat.completions.create(model="gpt-4o-mini", messages=[], stream=True)))

def say():
    counts = transport.recorder.counts
    print(json.dumps([counts.recorded, counts.lost]), flush=True)

"""


def run(folder: Path, url: str, program: str) -> list[Any]:
    """What a program with a recording client prints, a line a value."""
    line = [sys.executable, "-c", PROGRAM + program, str(folder / "run.jsonl"), url]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("end", ["client.close(); sys.exit(0)", "os._exit(0)"])
def test_what_a_forked_process_calls_is_recorded_however_that_ends(tmp_path: Path, end: str) -> None:
    """The parent has a call of its own before, one under way, and one after."""
    program = f"""
ask()
unread = client.chat.completions.create(**{STREAM!r})
if os.fork() == 0:
    ask(); ask(); say(); {end}
os.wait()
ask(); client.close(); say()
"""
    with upstream(whole) as url:
        assert run(tmp_path, url, program) == [[2, {}], [3, {}]]
    found = [record.get("error") for record in records(tmp_path / "run.jsonl")]
    assert sorted(found, key=str) == [None] * 4 + ["client_closed"]


def test_what_the_workers_of_a_pool_call_is_recorded(tmp_path: Path) -> None:
    program = """
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(sum(pool.map(ask, range(6))))
"""
    with upstream(whole) as url:
        assert run(tmp_path, url, program) == [6 * 2]
    assert [record["input_tokens"] for record in records(tmp_path / "run.jsonl")] == [5] * 6
