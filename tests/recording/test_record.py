"""`record` in front of real SDKs, and in front of servers and clients that misbehave."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from llmock.testing import LLMockServer
from tests.conftest import Outcome
from tests.recording.scripted import CHAT, FIRST, HEAD, LAST, chunk, records, upstream, whole

from llmmigrate.errors import UsageError
from llmmigrate.recording import Recorder
from llmmigrate.recording.passing import Server, Upstreams, passing

SUITE = Path(__file__).with_name("suite.py")


@pytest.fixture(scope="module")
def vendors() -> Iterator[LLMockServer]:
    with LLMockServer() as server:
        yield server


def recorded(output: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`llmmigrate record` with a command, as a user starts it."""
    line = [sys.executable, "-m", "llmmigrate", "record", "-o", str(output), *words]
    held = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(line, env={**held, **environment}, capture_output=True, text=True, timeout=120, check=False)


def upstreams_of(vendors: LLMockServer) -> dict[str, str]:
    return {"OPENAI_BASE_URL": vendors.base_url("openai"), "ANTHROPIC_BASE_URL": vendors.base_url("anthropic")}


def test_a_test_suite_with_both_sdks_misses_no_call(vendors: LLMockServer, tmp_path: Path) -> None:
    output = tmp_path / "run.jsonl"
    done = recorded(output, "--", sys.executable, str(SUITE), **upstreams_of(vendors))
    assert done.returncode == 0, done.stderr
    seen = sorted(json.loads(line) for line in done.stdout.splitlines())
    assert len(seen) == 15
    found = records(output)
    assert sorted([r["model"], r["input_tokens"], r["output_tokens"]] for r in found) == seen
    assert all(r["latency_ms"] > 0 and r["timestamp"] for r in found)
    assert sum("ttft_ms" in r for r in found) == 2
    assert "recorded 15 calls" in done.stderr


def test_neither_a_key_nor_text_is_written(vendors: LLMockServer, tmp_path: Path) -> None:
    output = tmp_path / "run.jsonl"
    recorded(output, "--", sys.executable, str(SUITE), **upstreams_of(vendors))
    written = output.read_text()
    assert "not-to-be-seen" not in written
    assert "my-secret-word" not in written
    assert output.stat().st_mode & 0o077 == 0


def test_kept_text_is_without_personal_data(vendors: LLMockServer, tmp_path: Path) -> None:
    output = tmp_path / "run.jsonl"
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "I am jo@example.org, help!"}]}
    ask = (
        "import os, urllib.request; urllib.request.urlopen(urllib.request.Request("
        f"os.environ['OPENAI_BASE_URL'] + '/chat/completions', {json.dumps(body).encode()!r},"
        "{'Content-Type': 'application/json', 'Authorization': 'Bearer sk-1234567890abcdefghij'})).read()"
    )
    done = recorded(output, "--keep-text", "--", sys.executable, "-c", ask, **upstreams_of(vendors))
    assert done.returncode == 0, done.stderr
    (found,) = records(output)
    assert "help!" in json.dumps(found["request"])
    assert "jo@example.org" not in output.read_text()
    assert "sk-1234567890" not in output.read_text()


@pytest.mark.parametrize(("program", "code"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_the_command_s_exit_code_is_returned(tmp_path: Path, program: str, code: int) -> None:
    done = recorded(tmp_path / "run.jsonl", "--", sys.executable, "-c", program)
    assert done.returncode == code


def test_a_command_that_does_not_exist_is_said(tmp_path: Path) -> None:
    done = recorded(tmp_path / "run.jsonl", "--", "no-such-command-here")
    assert (done.returncode, "error: cannot run no-such-command-here" in done.stderr) == (2, True)


def test_it_serves_until_it_is_stopped(vendors: LLMockServer, tmp_path: Path) -> None:
    output = tmp_path / "run.jsonl"
    line = [sys.executable, "-m", "llmmigrate", "record", "-o", str(output), "--upstream", vendors.base_url("openai")]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        place = process.stderr.readline().split()[2].rstrip(";").removeprefix("http://")
        connection = http.client.HTTPConnection(place, timeout=30)
        body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]})
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        assert connection.getresponse().read()
        connection.close()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, len(records(output))) == (0, 1)
    assert "recorded 1 calls" in said


@contextmanager
def recording(url: str, output: Path | str) -> Iterator[tuple[Server, Recorder]]:
    recorder = Recorder(output)
    try:
        with passing(("127.0.0.1", 0), Upstreams(url, url), recorder) as server:
            yield server, recorder
    finally:
        recorder.close()
        while OPEN:
            OPEN.pop().close()


OPEN: list[http.client.HTTPConnection] = []
"""Connections that a test has opened and `recording` closes."""


def post(server: Server, body: bytes = CHAT, path: str = "/v1/chat/completions") -> http.client.HTTPConnection:
    OPEN.append(connection := http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30))
    connection.request("POST", path, body, {"Content-Type": "application/json", "Authorization": "Bearer key-1"})
    return connection


def test_a_stream_passes_as_it_comes_and_unchanged(tmp_path: Path) -> None:
    seen: list[bytes] = []
    arrived = threading.Event()

    def script(connection: socket.socket, request: bytes) -> None:
        seen.append(request)
        connection.sendall(HEAD + chunk(FIRST))
        assert arrived.wait(20)  # the rest is sent only once the client has the first part
        connection.sendall(chunk(b"odd \xff\x00 bytes\n\n") + chunk(LAST) + b"0\r\n\r\n")

    with upstream(script) as url, recording(url, tmp_path / "run.jsonl") as (server, recorder):
        answer = post(server, path="/v1/chat/completions?key=hidden").getresponse()
        begun = answer.read1()
        arrived.set()
        rest = answer.read()
    assert recorder.counts.recorded == 1
    assert begun + rest == FIRST + b"odd \xff\x00 bytes\n\n" + LAST
    assert answer.getheader("X-Request-Id") == "7"
    assert b"POST /v1/chat/completions?key=hidden HTTP/1.1" in seen[0]
    assert b"Bearer key-1" in seen[0]
    assert seen[0].endswith(CHAT)
    (found,) = records(tmp_path / "run.jsonl")
    assert (found["model"], found["input_tokens"], found["output_tokens"], found["request_id"]) == (
        "gpt-4o-mini",
        5,
        2,
        "c1",
    )
    assert "hidden" not in (tmp_path / "run.jsonl").read_text()


def test_a_killed_upstream_ends_the_client_s_answer_as_well(tmp_path: Path) -> None:
    def script(connection: socket.socket, _: bytes) -> None:
        connection.sendall(HEAD + chunk(FIRST))

    with upstream(script) as url, recording(url, tmp_path / "run.jsonl") as (server, recorder):
        answer = post(server).getresponse()
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
        assert post(server).getresponse().status == 200
        deadline = time.monotonic() + 20
        while recorder.counts.recorded < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
    found = records(tmp_path / "run.jsonl")[0]
    assert (found["error"], found["input_tokens"]) == ("upstream_closed", None)


def test_a_killed_client_disturbs_nobody(tmp_path: Path) -> None:
    gone = threading.Event()

    def script(connection: socket.socket, _: bytes) -> None:
        try:
            connection.sendall(HEAD + chunk(FIRST))
            assert gone.wait(20)
            for _n in range(2000):
                connection.sendall(chunk(FIRST * 50))
        except OSError:
            return  # the pass-through has hung up, as the client did

    with upstream(script) as url, recording(url, tmp_path / "run.jsonl") as (server, recorder):
        connection = post(server)
        connection.getresponse().read1()
        connection.close()
        gone.set()
        deadline = time.monotonic() + 20
        while recorder.counts.recorded < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        again = post(server)
        assert again.getresponse().status == 200
        again.close()
    assert records(tmp_path / "run.jsonl")[0]["error"] == "client_closed"


def test_a_full_disk_stops_the_records_and_not_the_calls() -> None:
    with upstream(whole) as url, recording(url, "/dev/full") as (server, recorder):
        assert [post(server).getresponse().read() for _ in range(3)] == [FIRST + LAST] * 3
    assert (recorder.counts.recorded, recorder.counts.lost) == (0, {"No space left on device": 3})


def test_an_upstream_that_is_not_there_is_an_error_of_the_call(tmp_path: Path) -> None:
    with recording("http://127.0.0.1:9/v1", tmp_path / "run.jsonl") as (server, _):
        answer = post(server).getresponse()
        told = json.loads(answer.read())
    assert (answer.status, told["error"]["type"]) == (502, "upstream_unreachable")
    (found,) = records(tmp_path / "run.jsonl")
    assert (found["error"], found["model"]) == ("upstream_unreachable", "gpt-4o-mini")


def test_other_requests_pass_and_are_no_calls(tmp_path: Path) -> None:
    def script(connection: socket.socket, _: bytes) -> None:
        body = b'{"object": "list", "data": []}'
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )

    with upstream(script) as url, recording(url, tmp_path / "run.jsonl") as (server, recorder):
        OPEN.append(connection := http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30))
        connection.request("GET", "/v1/models", headers={"Content-Length": "0"})
        assert json.loads(connection.getresponse().read()) == {"object": "list", "data": []}
    assert (recorder.counts.recorded, recorder.counts.other) == (0, 1)


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://api.openai.com/v1", "/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("https://api.z.ai/api/paas/v4", "/v1/chat/completions", "https://api.z.ai/api/paas/v4/chat/completions"),
        ("https://api.deepseek.com", "/v1/chat/completions", "https://api.deepseek.com/chat/completions"),
        ("https://a.example/v1/", "/v1/models?limit=2", "https://a.example/v1/models?limit=2"),
    ],
)
def test_where_a_path_goes(base: str, path: str, url: str) -> None:
    assert Upstreams(base).url(path) == url
    assert Upstreams(base).url("/v1/messages") == "https://api.anthropic.com/v1/messages"


def test_it_listens_on_this_machine_only(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.jsonl")
    with (
        pytest.raises(UsageError, match="can be reached from elsewhere"),
        passing(("0.0.0.0", 0), Upstreams(), recorder),
    ):
        pass
    recorder.close()
    with pytest.raises(UsageError, match="is no URL of an API"):
        Upstreams("file:///etc/passwd")


@pytest.mark.parametrize(
    ("listen", "what"),
    [
        ("example.com:99", "'example.com' is no address of this machine"),
        ("localhost.example.com:99", "'localhost.example.com' is no address of this machine"),
        ("0.0.0.0:99", "0.0.0.0 can be reached from elsewhere"),
        ("[::]:99", ":: can be reached from elsewhere"),
        ("192.0.2.1:99", "192.0.2.1 can be reached from elsewhere"),
        ("127.0.0.1", "--listen '127.0.0.1' is no HOST:PORT"),
        ("127.0.0.1:65536", "--listen '127.0.0.1:65536' is no HOST:PORT"),
        ("127.0.0.1:" + "9" * 5000, None),
        ("::1", "--listen '::1' is no HOST:PORT"),
        ("::1:8900", "--listen '::1:8900' is no HOST:PORT"),
    ],
)
def test_another_place_to_listen_is_refused_before_anything_starts(
    llmmigrate: Callable[..., Outcome], tmp_path: Path, listen: str, what: str | None
) -> None:
    output, started = tmp_path / "run.jsonl", tmp_path / "started"
    outcome = llmmigrate("record", "-o", str(output), "--listen", listen, "--", "touch", str(started))
    expected = f"error: {what}" if what else f"error: --listen '{listen}' is no HOST:PORT"
    assert (outcome.code, outcome.out, outcome.err.splitlines()[0]) == (2, "", expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", ":0"])
def test_it_listens_on_every_loopback_address(llmmigrate: Callable[..., Outcome], tmp_path: Path, listen: str) -> None:
    output, started = tmp_path / "run.jsonl", tmp_path / "started"
    outcome = llmmigrate("record", "-o", str(output), "--listen", listen, "--", "touch", str(started))
    assert (outcome.code, started.exists()) == (0, True), outcome.err


ASK = (
    "import json, os, urllib.request\n"
    "url = os.environ['OPENAI_API_BASE'] + '/chat/completions'\n"
    f"urllib.request.urlopen(urllib.request.Request(url, {CHAT!r}, {{'Content-Type': 'application/json'}})).read()"
)


@pytest.mark.parametrize("other", [None, "OPENAI_BASE_URL"])
def test_a_gateway_that_the_environment_names_is_not_gone_around(tmp_path: Path, other: str | None) -> None:
    """OPENAI_API_BASE is what older SDKs read; where both are set, OPENAI_BASE_URL is what newer ones obey."""
    seen: list[bytes] = []

    def script(connection: socket.socket, request: bytes) -> None:
        seen.append(request)
        connection.sendall(HEAD + chunk(FIRST) + chunk(LAST) + b"0\r\n\r\n")

    with upstream(script) as url:
        named = {"OPENAI_API_BASE": url, "OPENAI_BASE_URL": ""}
        if other is not None:
            named = {"OPENAI_API_BASE": "http://127.0.0.1:9/v1", other: url}
        done = recorded(tmp_path / "run.jsonl", "--", sys.executable, "-c", ASK, **named)
    assert done.returncode == 0, done.stderr
    assert len(seen) == 1
    assert [record["input_tokens"] for record in records(tmp_path / "run.jsonl")] == [5]


BYPASSED = """
import json, urllib.request
print(json.dumps([bool(urllib.request.proxy_bypass(host)) for host in ("internal.corp", "other.corp", "127.0.0.1")]))
"""


@pytest.mark.parametrize(
    "named",
    [
        {"NO_PROXY": "internal.corp"},
        {"no_proxy": "internal.corp"},
        {"NO_PROXY": "internal.corp", "no_proxy": "other.corp"},
        {"NO_PROXY": "*"},
        {"NO_PROXY": ""},
        {},
    ],
    ids=str,
)
def test_a_command_goes_around_its_proxy_where_it_did_and_on_this_machine(
    tmp_path: Path, named: dict[str, str]
) -> None:
    proxied = {"HTTP_PROXY": "http://127.0.0.1:9", **named}
    program = [sys.executable, "-c", BYPASSED]
    alone = subprocess.run(program, env=proxied, capture_output=True, text=True, timeout=60, check=True)
    done = recorded(tmp_path / "run.jsonl", "--", *program, **proxied)
    assert json.loads(done.stdout) == [*json.loads(alone.stdout)[:2], True], done.stderr
