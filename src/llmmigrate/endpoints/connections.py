"""The connections to one endpoint.

Each request under way has a transport to itself, which the next one takes over with its open connection. httpx's pool
would look through all of its connections for every request: with 64 under way that is most of the work. What an httpx
client adds to its transport (cookies, redirects, authentication) has no use here and costs a quarter of the CPU.
"""

import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from llmmigrate.endpoints.exchange import Endpoint
from llmmigrate.endpoints.line import KEEPALIVE, Line
from llmmigrate.errors import ConfigError
from llmmigrate.hosts import is_loopback


class Connections:
    """Opened as they are needed; as many as there are requests at one time."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises ConfigError for an address that is none."""
        url = _address(endpoint)
        # Without TLS no authorities need to be loaded, which takes longer than many a request.
        self._tls = httpx.create_ssl_context() if url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.set_alpn_protocols(["http/1.1"])
        self._proxy = _proxy(url)
        self._all: list[httpx.AsyncBaseTransport] = []
        self._idle: list[httpx.AsyncBaseTransport] = []

    @contextmanager
    def one(self) -> Iterator[httpx.AsyncBaseTransport]:
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

    def _open(self) -> httpx.AsyncBaseTransport:
        line = Line(self._tls) if self._proxy is None else _through(self._proxy, self._tls)
        self._all.append(line)
        return line


def _through(proxy: str, tls: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    limits = httpx.Limits(max_keepalive_connections=1, keepalive_expiry=KEEPALIVE)
    return httpx.AsyncHTTPTransport(verify=tls, limits=limits, proxy=proxy)


def _proxy(url: httpx.URL) -> str | None:
    """The proxy that the environment names for an address; none for this machine itself."""
    if is_loopback(url.host) or urllib.request.proxy_bypass(url.host):
        return None
    named = urllib.request.getproxies()
    found = named.get(url.scheme) or named.get("all")
    return found if not found or "://" in found else f"http://{found}"


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
