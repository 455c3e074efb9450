"""Requests that break off or are malformed, in front of `record`: none is sent on in part, each is counted."""

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.endpoints.fault_server import FaultServer

from llmmigrate.recording import Recorder
from llmmigrate.recording.passing import Server, Upstreams, passing

BODY = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}).encode()
BROKEN = "a request was not sent on: the client broke it off before its end"
MALFORMED = "a request was not sent on: its chunks are malformed"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture
def vendor() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@contextlib.contextmanager
def recording(vendor: FaultServer, output: Path) -> Iterator[tuple[Server, Recorder]]:
    recorder = Recorder(output)
    try:
        with passing(("127.0.0.1", 0), Upstreams(vendor.base_url, vendor.base_url), recorder) as server:
            yield server, recorder
    finally:
        recorder.close()


def sent(server: Server, headers: str, body: bytes, *, end: bool = False) -> socket.socket:
    """A connection on which a request was begun; `end` closes its sending side."""
    connection = socket.create_connection(("127.0.0.1", server.server_port), timeout=30)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{headers}\r\n\r\n"
    connection.sendall(head.encode() + body)
    if end:
        connection.shutdown(socket.SHUT_WR)
    return connection


def said(connection: socket.socket) -> bytes:
    """All that comes back until the pass-through hangs up."""
    with connection, contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (f"Content-Length: {len(BODY) + 1}", BODY),
        ("Content-Length: 5", b""),
        (CHUNKED, b""),
        (CHUNKED, b"5"),
        (CHUNKED, b"5\r\nhel"),
        (CHUNKED, b"5\r\nhello"),
        (CHUNKED, b"5\r\nhello\r"),
        (CHUNKED, b"%x\r\n%b\r\n" % (len(BODY), BODY)),
    ],
)
def test_a_request_that_breaks_off_is_not_sent_on(
    vendor: FaultServer, tmp_path: Path, headers: str, body: bytes
) -> None:
    with recording(vendor, tmp_path / "run.jsonl") as (server, recorder):
        answer = said(sent(server, headers, body, end=True))
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert (vendor.connections, vendor.requests) == (0, [])
    assert (recorder.counts.lost, recorder.counts.recorded) == ({BROKEN: 1}, 0)
    assert (tmp_path / "run.jsonl").read_bytes() == b""


def test_a_killed_client_s_request_is_not_sent_on(vendor: FaultServer, tmp_path: Path) -> None:
    with recording(vendor, tmp_path / "run.jsonl") as (server, recorder):
        connection = sent(server, "Content-Length: 5000", BODY)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()  # as a kill does it: reset, not closed in order
        deadline = time.monotonic() + 20
        while not recorder.counts.lost and time.monotonic() < deadline:
            time.sleep(0.01)
    assert (vendor.connections, recorder.counts.lost) == (0, {BROKEN: 1})


@pytest.mark.parametrize(
    ("headers", "body", "status", "why"),
    [
        (CHUNKED, b"xyz\r\nhello\r\n0\r\n\r\n", 400, MALFORMED),
        (CHUNKED, b"\r\nhello\r\n0\r\n\r\n", 400, MALFORMED),
        (CHUNKED, b"-5\r\nhello\r\n0\r\n\r\n", 400, MALFORMED),
        (CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n", 400, MALFORMED),
        (CHUNKED, b"1_0\r\nhello\r\n0\r\n\r\n", 400, MALFORMED),
        (CHUNKED, b"5\r\nhello, world\r\n0\r\n\r\n", 400, MALFORMED),
        (CHUNKED, b"0\r\n" + b"a: b\r\n" * 200, 400, MALFORMED),
        (CHUNKED, b"ffffffffff\r\n", 413, "a request was not sent on: its body is larger than 256 MiB"),
        ("Content-Length: 300000000", b"", 413, "a request was not sent on: its body is larger than 256 MiB"),
        ("Content-Length: -5", b"hello", 400, "a request was not sent on: its Content-Length is no length"),
        ("Content-Length: 5\r\nContent-Length: 6", b"hello", 400,
         "a request was not sent on: its Content-Length is no length"),
        ("Content-Length: " + "9" * 5000, b"", 400, "a request was not sent on: its Content-Length is no length"),
        ("Transfer-Encoding: gzip, chunked", b"0\r\n\r\n", 501,
         "a request was not sent on: its Transfer-Encoding is not chunked alone"),
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused_at_once(
    vendor: FaultServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], headers: str, body: bytes, status: int,
    why: str,
) -> None:  # fmt: skip
    """The client goes on listening and would send more: nothing waits for it."""
    with recording(vendor, tmp_path / "run.jsonl") as (server, recorder):
        answer = said(sent(server, headers, body))
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert (vendor.connections, recorder.counts.lost) == (0, {why: 1})
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (f"Content-Length: {len(BODY)}", BODY),
        (CHUNKED, b"5\r\n%b\r\n%X;name=value\r\n%b\r\n0\r\nDigest: x\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:])),
        (CHUNKED, b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)),
    ],
)
def test_a_whole_request_is_sent_on_whole(vendor: FaultServer, tmp_path: Path, headers: str, body: bytes) -> None:
    with recording(vendor, tmp_path / "run.jsonl") as (server, recorder):
        answer = said(sent(server, headers, body, end=True))
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert [asked.body for asked in vendor.requests] == [json.loads(BODY)]
    assert (recorder.counts.recorded, recorder.counts.lost) == (1, {})


def test_a_request_without_an_end_is_counted(
    vendor: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command has ended, one of its requests has not: it may well be billed."""
    monkeypatch.setattr("llmmigrate.recording.passing._SETTLE_SECONDS", 0.2)
    vendor.then = "hang"
    with recording(vendor, tmp_path / "run.jsonl") as (server, recorder):
        connection = sent(server, f"Content-Length: {len(BODY)}", BODY)
        deadline = time.monotonic() + 20
        while not vendor.requests and time.monotonic() < deadline:
            time.sleep(0.01)
    connection.close()
    assert (recorder.counts.recorded, recorder.counts.lost) == (0, {"a request was still under way at the end": 1})
