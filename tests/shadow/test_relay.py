"""LiteLLM's proxy as a real relay between the client and an endpoint, with a key of its own.

What it does otherwise than an endpoint: a usage event whose choices are not empty, its own words around every error,
no `Retry-After` of the endpoint behind it, a wrong key that is a bad request, and an end of its own for cut streams.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.conftest import LITELLM, NO_RELAY, Outcome
from tests.endpoints.fault_server import FaultServer
from tests.shadow.make_log import write_log
from tests.shadow.programs import free_port, running
from tests.shadow.servers import speaker

from llmmigrate.endpoints.client import Client, Retries
from llmmigrate.endpoints.exchange import Endpoint, Exchange, Failure, Timeouts

pytestmark = pytest.mark.skipif(LITELLM is None, reason=NO_RELAY)
Run = Callable[..., Outcome]
KEY = "sk-relay-A7f93Kd82mQpZx41vLw0"
KEY_BEHIND = "sk-behind-5c1Jr0Vt6Yw2Ns8Kq3Hd"
CONFIG = """\
model_list:
  - model_name: glm-5
    litellm_params: {{model: openai/glm-5, api_base: "{behind}", api_key: {key}, max_retries: 0}}
  - model_name: canned
    litellm_params: {{model: openai/canned, api_key: none, mock_response: "one two three four"}}
litellm_settings: {{telemetry: false, num_retries: 0}}
router_settings: {{num_retries: 0, disable_cooldowns: true}}
general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY}}
"""


class Relay(NamedTuple):
    """A relay, and the server behind it."""

    base_url: str
    behind: FaultServer


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    folder = tmp_path_factory.mktemp("relay")
    with FaultServer(say=speaker(noise=0.1)) as behind:
        (folder / "config.yaml").write_text(CONFIG.format(behind=behind.base_url, key=KEY_BEHIND))
        port = free_port()
        address = ("--host", "127.0.0.1", "--port", str(port), "--telemetry", "False")
        environment = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        url = f"http://127.0.0.1:{port}"
        with running(
            (str(LITELLM), "--config", "config.yaml", *address),
            folder=folder, health=f"{url}/health/liveliness", environment=environment,
        ):  # fmt: skip
            assert ask(Relay(f"{url}/v1", behind)).failure is None  # its first answer takes seconds
            yield Relay(f"{url}/v1", behind)


@pytest.fixture
def relay(started: Relay) -> Iterator[Relay]:
    started.behind.requests.clear()
    yield started
    started.behind.then = "ok"


def ask(relay: Relay, *, model: str = "glm-5", key: str | None = KEY, stream: bool = True) -> Exchange:
    async def work() -> Exchange:
        waits = Timeouts(first_token=30, read=10, total=40)
        endpoint = Endpoint(
            provider="relay", model=model, base_url=relay.base_url, dialect="openai-chat", key=key, timeouts=waits
        )
        body = {"messages": [{"role": "user", "content": "a"}], "max_tokens": 50}
        async with Client(endpoint, retries=Retries(attempts=1)) as client:
            return await client.send(body, stream=stream)

    return asyncio.run(work())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relay: Relay) -> Iterator[Path]:
    """Settings: the current side is asked directly, the target through the relay."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELAY_KEY", KEY)
    write_log(tmp_path / "logs.jsonl", 150)
    with FaultServer(say=speaker(noise=0.1, seed=1)) as current:
        write_settings(tmp_path, current, relay)
        yield tmp_path


def write_settings(folder: Path, current: FaultServer, relay: Relay) -> None:
    (folder / "llmmigrate.yaml").write_text(f"""\
version: 1
logs: [logs.jsonl]
from: {{provider: openai, model: o3, base_url: "{current.base_url}", api_key_env: RELAY_KEY}}
to: {{provider: relay, model: glm-5}}
providers:
  relay: {{base_url: "{relay.base_url}", dialect: openai-chat, price: zero, api_key_env: RELAY_KEY, concurrency: 4}}
""")


def shadow(llmmigrate: Run, *more: str) -> Outcome:
    gates = ("--gate", "latency_p95=off", "--gate", "errors=<= +10pt", "--gate", "agreement=>= -30pt")
    return llmmigrate("shadow", "--canary", "100%", "--yes", "--cost-sample", "0", *gates, *more)


def test_a_model_behind_a_relay_passes(llmmigrate: Run, relay: Relay, folder: Path) -> None:
    found = shadow(llmmigrate)
    assert found.code == 0, found.out + found.err
    [path] = Path(".llmmigrate/runs").glob("*/verdict.json")
    target = json.loads(path.read_text())["target"]
    assert target["answers"] == target["requests"] >= 30
    assert target["usage_missing"] == 0
    assert target["output_tokens"] == 7 * target["answers"]
    assert {item.headers["authorization"] for item in relay.behind.requests} == {f"Bearer {KEY_BEHIND}"}
    for file in folder.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()


def test_a_key_that_the_relay_does_not_know_stops_the_run(
    llmmigrate: Run, relay: Relay, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_KEY", "sk-another-0123456789")
    found = shadow(llmmigrate)
    assert found.code == 2
    assert "relay/glm-5 refuses the key" in found.err
    assert "RELAY_KEY" in found.err
    assert not relay.behind.requests


def test_a_model_that_the_relay_does_not_know_stops_the_run(llmmigrate: Run, relay: Relay, folder: Path) -> None:
    found = shadow(llmmigrate, "--to", "relay/glm-5-air")
    assert found.code == 2
    assert "the endpoint offers glm-5" in found.err
    assert not relay.behind.requests


@pytest.mark.parametrize(
    ("behaviour", "failure"),
    [
        ("rate_limit:retry-after=1", "rate_limit"),
        ("status:500", "server"),
        ("status:401", "auth"),
        ("status:402", "quota"),
        ("status:404", "not_found"),
        (
            'error:400 {"error": {"message": "This model\'s maximum context length is 10 tokens", "code": "400"}}',
            "context_length",
        ),
        (
            'error:400 {"error": {"message": "Unsupported parameter: x", "code": "unsupported_parameter"}}',
            "unsupported_parameter",
        ),
        ('error:400 {"error": {"message": "flagged", "code": "content_filter"}}', "content_filter"),
        ('error:429 {"error": {"message": "You exceeded your current quota"}}', "quota"),
        ("disconnect", "server"),
        ("cut_mid_stream", "server"),
        ("error_event", "server"),
        ("filtered", "content_filter"),
        ("only_thoughts", "empty"),
        ("empty", "empty"),
    ],
)
def test_what_went_wrong_behind_it(relay: Relay, behaviour: str, failure: Failure) -> None:
    relay.behind.then = behaviour
    exchange = ask(relay)
    assert exchange.failure == failure, exchange.detail
    assert len(relay.behind.requests) == 1


def test_a_wait_that_the_endpoint_asks_for_does_not_come_through(relay: Relay) -> None:
    """Our own back-off has to do then."""
    relay.behind.then = "rate_limit:retry-after=1"
    assert ask(relay).attempts[0].retry_after is None


def test_it_ends_a_cut_stream_as_if_it_were_whole(relay: Relay) -> None:
    """It adds `finish_reason: stop` to what ended too early: such errors of an endpoint cannot be seen through it."""
    relay.behind.then = "truncate"
    exchange = ask(relay)
    assert exchange.failure is None
    finishes = [choice.get("finish_reason") for event in exchange.events for choice in event["choices"]]
    assert "stop" in finishes


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_of_its_own(relay: Relay, stream: bool) -> None:
    exchange = ask(relay, model="canned", stream=stream)
    assert exchange.failure is None, exchange.detail
    assert not relay.behind.requests
