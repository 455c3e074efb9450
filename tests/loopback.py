"""In place of the fixture that refuses every connection, for rooms whose parts talk to real servers: `no_network`."""

import socket
from typing import Any

import pytest

_connect = socket.socket.connect
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to this machine only, and to no proxy."""

    def connect(self: socket.socket, address: Any) -> None:
        here = self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost")
        assert here, f"a test opened a connection to {address}"
        _connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
