"""The connections to one endpoint.

Each request under way has an httpx client to itself, which the next one takes over with its open connection. One client
for all would look through all of its connections for every request: with 64 under way that is most of the work.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx

from llmmigrate.endpoints.exchange import Endpoint
from llmmigrate.errors import ConfigError

_KEEPALIVE: Final = 4.0
"""Seconds: shorter than the 5 s after which uvicorn and Node close an idle connection, perhaps under a request."""


class Connections:
    """Opened as they are needed; as many as there are requests at one time."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises ConfigError for an address that is none."""
        url = _address(endpoint)
        # Without TLS no authorities need to be loaded, which takes longer than many a request.
        self._tls = httpx.create_ssl_context() if url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._uses_proxies = not (url.host in ("localhost", "::1") or url.host.startswith("127."))
        self._all: list[httpx.AsyncClient] = []
        self._idle: list[httpx.AsyncClient] = []

    @contextmanager
    def one(self) -> Iterator[httpx.AsyncClient]:
        """A connection that nobody else uses meanwhile; the one used last, because it is the likeliest still open."""
        line = self._idle.pop() if self._idle else self._open()
        try:
            yield line
        finally:
            self._idle.append(line)

    async def aclose(self) -> None:
        """Closes all of them."""
        for line in self._all:
            await line.aclose()

    def _open(self) -> httpx.AsyncClient:
        line = httpx.AsyncClient(
            verify=self._tls,
            timeout=None,
            limits=httpx.Limits(max_keepalive_connections=1, keepalive_expiry=_KEEPALIVE),
            follow_redirects=False,
            trust_env=self._uses_proxies,
        )
        self._all.append(line)
        return line


def _address(endpoint: Endpoint) -> httpx.URL:
    try:
        url = httpx.URL(endpoint.base_url)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(
            f"the address of '{endpoint.provider}' is no web address: {endpoint.base_url}",
            fix=f"write providers.{endpoint.provider}.base_url like https://api.example.com/v1",
        )
    if url.query or url.fragment:
        raise ConfigError(
            f"the address of '{endpoint.provider}' has something behind its path: {endpoint.base_url}",
            fix="write it without ? and #; for Azure, the address that ends in /openai/v1 needs none",
        )
    if url.userinfo:
        raise ConfigError(
            f"the address of '{endpoint.provider}' holds a user name or a password",
            fix=f"name the variable that holds the key in providers.{endpoint.provider}.api_key_env",
        )
    return url
