"""What is taken for this machine decides whether a key may go out in the clear: a name that looks like it is not."""

import pytest

from llmmigrate.hosts import is_loopback, leads_to_loopback


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.10", "::1", "[::1]"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)
    shown = f"[{host}]" if host == "::1" else host
    assert leads_to_loopback(f"http://{shown}:8000/v1")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1.example.com", "localhost.example.com", "127.example.com", "0.0.0.0", "::", "192.168.0.1", "", "api"],
)
def test_another_machine(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1.example.com/v1", "http://localhost@example.com", "http://[::1", "", "localhost:80"]
)
def test_a_url_that_leads_elsewhere_or_nowhere(url: str) -> None:
    assert not leads_to_loopback(url)
