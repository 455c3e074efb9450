"""A pass-through on this machine: what comes in goes to the vendor as it is, the answer comes back chunk by chunk.

Requests with the path `/v1/messages` or `/v1/complete`, or with Anthropic's own header, are Anthropic's, all others
OpenAI's. Only loopback addresses are listened on: whoever can connect uses the keys of nobody but themselves, yet sees
the traffic.
"""

import contextlib
import http.server
import ipaddress
import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from llmmigrate.errors import UsageError
from llmmigrate.recording.exchange import Exchange, readable, without_query
from llmmigrate.recording.incoming import NotWholeError, body_of
from llmmigrate.recording.recorder import Recorder

OPENAI: Final = "https://api.openai.com/v1"
ANTHROPIC: Final = "https://api.anthropic.com"
_ANTHROPIC_PATHS: Final = ("/v1/messages", "/v1/complete")
_ANTHROPIC_HEADER: Final = "anthropic-version"
"""What every request to Anthropic's API has to have, whichever its path."""
_VERSION: Final = re.compile(r"/v\d+\w*$")
_OUR_VERSION: Final = re.compile(r"^/v1(?=/|$)")
_HOP_BY_HOP: Final = frozenset({
    "connection", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
    "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers of one connection (RFC 9110, 7.6.1), not of the request."""
_BYTES: Final = "latin-1"
"""How `http.server` reads and writes headers: one character a byte, whatever a client or a vendor means by them."""
_CONNECT_SECONDS: Final = 30.0
_SETTLE_SECONDS: Final = 10.0
"""How long requests that are under way at the end are waited for."""


class Upstreams:
    """Where requests go: the base URLs that the OpenAI and the Anthropic SDK would use if nobody listened in.

    The SDKs append a path to their base URL as it stands: OpenAI's `/chat/completions`, Anthropic's `/v1/messages`.
    UsageError for what is no URL of an API.
    """

    def __init__(self, openai: str = OPENAI, anthropic: str = ANTHROPIC) -> None:
        self._openai, self._anthropic = (_checked(url) for url in (openai, anthropic))

    @classmethod
    def at(cls, url: str) -> "Upstreams":
        """One server for both. Without a path it is a server's root, which has OpenAI's API under `/v1`."""
        base = _checked(url)
        if not urlsplit(base).path.strip("/"):
            return cls(f"{base}/v1", base)
        return cls(base, _VERSION.sub("", base))

    def url(self, path: str, *, anthropic: bool = False) -> str:
        """The upstream URL of a path with its query; `anthropic` where the request says so by its header."""
        if anthropic or path.partition("?")[0].startswith(_ANTHROPIC_PATHS):
            return self._anthropic + path
        return self._openai + _OUR_VERSION.sub("", path)


def check_loopback(host: str) -> None:
    """UsageError where a host is no loopback address: a name may lead anywhere, and others would see the traffic."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(f"'{host}' is no address of this machine", fix="listen on 127.0.0.1 or [::1]") from None
    if not address.is_loopback:
        raise UsageError(f"{host} can be reached from elsewhere", fix="listen on 127.0.0.1")


class Server(http.server.ThreadingHTTPServer):
    """Listens, and serves every connection in a thread of its own."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], upstreams: Upstreams, recorder: Recorder) -> None:
        check_loopback(address[0])
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)
        self._under_way = 0
        self._over = False
        self._changed = threading.Condition()
        self.upstreams, self.recorder = upstreams, recorder
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        self.client = httpx.Client(timeout=timeout, limits=limits, follow_redirects=False)

    @property
    def base_url(self) -> str:
        """Where it listens."""
        host = str(self.server_address[0])
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}"

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """A request is under way within the block."""
        with self._changed:
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def note(self, exchange: Exchange) -> None:
        """Hand a request that has ended to the recorder, unless it has been counted as lost."""
        with self._changed:
            if not self._over:
                self.recorder.note(exchange)

    def lose(self, why: str) -> None:
        """Count a request that is in no record, unless that has been done."""
        with self._changed:
            if not self._over:
                self.recorder.lose(why)

    def settle(self) -> None:
        """Wait for the requests under way, whose ends the clients may have seen already; count those that have none."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, timeout=_SETTLE_SECONDS)
            self._over = True
            for _ in range(self._under_way):
                self.recorder.lose("a request was still under way at the end")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is the client's business."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection; requests one after another."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def _pass_on(self) -> None:
        with self.server.one_more():
            self._begun = False
            try:
                self._pass_one_on()
            except Exception as error:
                self._fail(error)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _pass_on  # noqa: N815 - as http.server has it

    def _pass_one_on(self) -> None:
        try:
            body = body_of(self.headers, self.rfile)
        except NotWholeError as error:
            self._refuse(error)
            return
        url = self.server.upstreams.url(self.path, anthropic=_ANTHROPIC_HEADER in self.headers)
        exchange = Exchange(without_query(url), body, time.time_ns())
        try:
            request = self.server.client.build_request(
                self.command, url, headers=_passed(self.headers.items()), content=body
            )
            response = self.server.client.send(request, stream=True)
        except httpx.HTTPError as error:
            self._say_unreachable(exchange, error)
            return
        try:
            self._answer(exchange, response)
        finally:
            response.close()
        exchange.ended_ns = time.time_ns()
        self.server.note(exchange)

    def _fail(self, error: Exception) -> None:
        """What nobody thought of: count it, and tell the client where it has been told nothing yet."""
        self.server.lose(f"{type(error).__name__} while it was passed on")
        self.close_connection = True
        if not self._begun:
            self._headers_buffer: list[bytes] = []
            with contextlib.suppress(OSError):
                self.send_error(502, f"llmmigrate record could not pass it on: {type(error).__name__}")

    def _refuse(self, error: NotWholeError) -> None:
        """Send nothing on, count it, and tell the client where it still listens."""
        self.server.lose(f"a request was not sent on: {error.why}")
        self.close_connection = True  # where the next request would begin is not known
        with contextlib.suppress(OSError):
            self.send_error(error.status, error.why)

    def _answer(self, exchange: Exchange, response: httpx.Response) -> None:
        """Pass the answer on as it comes."""
        exchange.status = response.status_code
        exchange.content_type = response.headers.get("content-type", "")
        exchange.encoding = response.headers.get("content-encoding", "")
        bodiless = self.command == "HEAD" or response.status_code in (204, 304)
        chunked = "content-length" not in response.headers and not bodiless
        try:
            self._begin(response, chunked=chunked)
            for chunk in _raw(response, exchange):
                exchange.add(chunk, time.time_ns())
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
            if exchange.failure is not None:
                self.close_connection = True  # the client sees the same broken end
            elif chunked:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            exchange.left = True
            self.close_connection = True

    def _begin(self, response: httpx.Response, *, chunked: bool) -> None:
        self.send_response_only(response.status_code, response.reason_phrase)
        for name, value in response.headers.raw:
            if name.decode(_BYTES).lower() not in _HOP_BY_HOP:
                self.send_header(name.decode(_BYTES), value.decode(_BYTES))
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self._begun = True
        self.end_headers()

    def _say_unreachable(self, exchange: Exchange, error: httpx.HTTPError) -> None:
        """Tell the client, in the form of both vendors, and record the failure."""
        exchange.failure, exchange.ended_ns = "upstream_unreachable", time.time_ns()
        self.server.note(exchange)
        words = f"llmmigrate record could not reach {exchange.url}: {type(error).__name__}"
        answer = {"type": "error", "error": {"type": "upstream_unreachable", "message": words}}
        data = json.dumps(answer).encode()
        self.send_response_only(502, "Bad Gateway")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        with contextlib.suppress(OSError):
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: paths may hold keys."""


@contextmanager
def passing(address: tuple[str, int], upstreams: Upstreams, recorder: Recorder) -> Iterator[Server]:
    """A pass-through that runs within the block."""
    with Server(address, upstreams, recorder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.settle()
            server.client.close()


def base_urls(server: Server, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child whose OpenAI and Anthropic SDKs then call the pass-through."""
    own = {"OPENAI_BASE_URL": f"{server.base_url}/v1", "ANTHROPIC_BASE_URL": server.base_url}
    return {**environment, **own, "OPENAI_API_BASE": own["OPENAI_BASE_URL"], **_around_proxies(environment)}


def _around_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The hosts that no proxy is used for, and this machine.

    Some programs read one name first, some the other: a name that is not set stands for what the other one says.
    """
    upper, lower = environment.get("NO_PROXY", ""), environment.get("no_proxy", "")
    return {"NO_PROXY": _with_loopback(upper or lower), "no_proxy": _with_loopback(lower or upper)}


def _with_loopback(hosts: str) -> str:
    """`*` means all hosts only where it stands alone."""
    return hosts if hosts.strip() == "*" else ",".join(filter(None, (hosts, "127.0.0.1", "localhost")))


def _raw(response: httpx.Response, exchange: Exchange) -> Iterator[bytes]:
    """The body as the upstream sends it; an upstream that breaks off is noted, not raised."""
    try:
        yield from response.iter_raw()
    except httpx.HTTPError:
        exchange.failure = "upstream_closed"


def _passed(headers: Any) -> list[tuple[bytes, bytes]]:
    """The client's headers for the upstream, with only such encodings as a recording can read."""
    kept = [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]
    kept = [(name, value) for name, value in kept if name.lower() not in ("content-length", "accept-encoding")]
    accepted = next((value for name, value in headers if name.lower() == "accept-encoding"), "identity")
    kept.append(("Accept-Encoding", readable(accepted)))
    return [(name.encode(_BYTES), value.encode(_BYTES)) for name, value in kept]


def _checked(url: str) -> str:
    if re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", url) is None:
        raise UsageError(f"'{url}' is no URL of an API", fix="write it like https://api.openai.com/v1")
    return url.removesuffix("/")
