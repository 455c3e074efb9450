"""Clients that leave off in the middle of an answer, and after what is said last."""

import gzip
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from tests.recording.scripted import CHAT, FIRST, HEAD, LAST, chunk, records, upstream

from llmmigrate.recording import Transport

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize(
    ("said", "error", "tokens"), [(FIRST + LAST, None, 5), (FIRST, "client_closed", None)], ids=["whole", "part"]
)
def test_leaving_off_after_done_is_no_failure_however_the_answer_is_packed(
    tmp_path: Path, encoding: str, said: bytes, error: str | None, tokens: int | None
) -> None:
    gone = threading.Event()

    def script(connection: socket.socket, _: bytes) -> None:
        head = HEAD.removesuffix(b"\r\n") + f"Content-Encoding: {encoding}\r\n\r\n".encode()
        connection.sendall(head + chunk(PACKED[encoding](said)))
        assert gone.wait(20)

    transport: Any = Transport(tmp_path / "run.jsonl")
    with upstream(script) as url:
        with (
            httpx.Client(transport=transport) as client,
            client.stream("POST", f"{url}/chat/completions", content=CHAT) as answer,
        ):
            for line in answer.iter_lines():
                if line == said.decode().splitlines()[-2]:
                    break
        gone.set()
    (found,) = records(tmp_path / "run.jsonl")
    assert (found.get("error"), found["input_tokens"]) == (error, tokens)
