"""That a measurement says what a running server did, and nothing when it did not answer."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from llmmigrate.endpoints.http import HttpError, get_json, post_json, stream_events
from llmmigrate.errors import ServingError
from llmmigrate.serving.measure import Load, measure

ENGINE = Path(__file__).with_name("engine.py")
Serve = Callable[..., str]


@pytest.fixture
def serve(port: int) -> Iterator[Serve]:
    """Starts the small server with options; gives its address."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> str:
        running.append(subprocess.Popen([sys.executable, str(ENGINE), str(port), *options], stdout=subprocess.DEVNULL))
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                get_json(f"http://127.0.0.1:{port}/health")
                return f"http://127.0.0.1:{port}"
            except HttpError:
                time.sleep(0.05)
        raise AssertionError("the server did not start")

    yield start
    for process in running:
        process.kill()
        process.wait()


def test_tokens_are_counted_as_the_endpoint_tells_them(serve: Serve) -> None:
    rate = measure(serve(), "tiny", Load(concurrency=2, input_words=30, output_tokens=5))
    assert (rate.basis, rate.label, rate.concurrency) == ("measured", "4 requests", 2)
    assert (rate.input_tokens, rate.output_tokens) == (30, 5)
    assert rate.input_per_second is not None
    assert rate.output_per_second is not None
    assert rate.tokens_per_second is not None
    assert abs(rate.input_per_second / rate.output_per_second - 6) < Decimal("0.01")
    assert abs(rate.tokens_per_second / (rate.input_per_second + rate.output_per_second) - 1) < Decimal("0.01")


def test_half_a_measurement_is_none(serve: Serve) -> None:
    with pytest.raises(ServingError, match="of 4 requests 4 got no answer"):
        measure(serve("broken"), "tiny", Load(concurrency=2, input_words=3, output_tokens=2))


def test_a_server_that_is_not_there_is_an_error_with_words(port: int) -> None:
    with pytest.raises(HttpError, match="refused"):
        get_json(f"http://127.0.0.1:{port}/health")
    with pytest.raises(HttpError, match="refused"):
        list(stream_events(f"http://127.0.0.1:{port}/v1/chat/completions", {}))


def test_the_key_is_sent(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_KEY", "right")
    url = f"{serve('key=ENGINE_KEY')}/v1/chat/completions"
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    assert [post_json(url, body, key=key).status for key in ("right", "wrong", None)] == [200, 401, 401]
    with pytest.raises(HttpError, match="HTTP 401"):
        list(stream_events(url, {**body, "stream": True}, key="wrong"))
