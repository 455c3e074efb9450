"""Headers beyond ASCII pass as the bytes that they are, and what cannot be passed on is told and counted."""

import socket
from pathlib import Path

import pytest
from tests.endpoints.fault_server import FaultServer
from tests.recording.scripted import CHAT, FIRST, HEAD, LAST, chunk, records, upstream

from llmmigrate.recording import Recorder
from llmmigrate.recording.passing import Upstreams, passing

VALUES = ["Zürich", "Ångström – 北京 à la carte"]


def asked(port: int, headers: bytes, path: bytes = b"/v1/chat/completions") -> bytes:
    """What a client that sends such headers gets, until the pass-through hangs up."""
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n%b\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head % (path, len(CHAT), headers) + CHAT)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("text", VALUES)
def test_a_header_beyond_ascii_passes_byte_for_byte_both_ways(tmp_path: Path, text: str, encoding: str) -> None:
    header = b"X-Team: %b\r\n" % text.encode(encoding, errors="replace")
    seen: list[bytes] = []

    def script(connection: socket.socket, request: bytes) -> None:
        seen.append(request)
        connection.sendall(HEAD.removesuffix(b"\r\n") + header + b"\r\n" + chunk(FIRST + LAST) + b"0\r\n\r\n")

    recorder = Recorder(tmp_path / "run.jsonl")
    with upstream(script) as url, passing(("127.0.0.1", 0), Upstreams(url, url), recorder) as server:
        answer = asked(server.server_port, header)
    counts = recorder.close()
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert [header in part for part in (seen[0], answer)] == [True, True]
    assert (counts.recorded, counts.lost) == (1, {})
    assert [record["input_tokens"] for record in records(tmp_path / "run.jsonl")] == [5]


def test_a_request_that_cannot_be_passed_on_is_told_and_counted(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.jsonl")
    with FaultServer() as vendor, passing(("127.0.0.1", 0), Upstreams.at(vendor.base_url), recorder) as server:
        answer = asked(server.server_port, b"", path=b"/v1/chat\x01completions")
    counts = recorder.close()
    assert answer.startswith(b"HTTP/1.1 502 "), answer
    assert (counts.recorded, counts.lost, vendor.connections) == (0, {"InvalidURL while it was passed on": 1}, 0)
