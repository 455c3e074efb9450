"""Sends requests to an endpoint: within its limits, again where that helps, and stops when it is down."""

import asyncio
import itertools
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx
import msgspec

from llmmigrate import __version__, errors
from llmmigrate.endpoints import dialects, failures
from llmmigrate.endpoints.attempt import Tried, attempt
from llmmigrate.endpoints.clock import Clock
from llmmigrate.endpoints.connections import Connections
from llmmigrate.endpoints.exchange import Attempt, Endpoint, Exchange, Failure
from llmmigrate.endpoints.limits import Breaker, Limiter

OnSend = Callable[[], Awaitable[None]]
"""Awaited right before the bytes of each attempt leave. What it raises stops the request and passes through."""
OnRetry = Callable[[Failure], None]
"""Told why an attempt failed that will be made again, before another request has its turn."""

_LISTED: Final = 1024 * 1024
_JAMS: Final = (429, 503, 529)
"""Statuses that say: too much at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and how soon a request is sent again."""

    attempts: int = 6
    """In all, the first included."""
    base: float = 1.0
    """Seconds: before attempt n + 1 a time is drawn evenly from 0 to base × 2ⁿ⁻¹, which is called full jitter."""
    longest: float = 60.0
    """Seconds that it draws from at most."""
    longest_asked: float = 120.0
    """Seconds that an endpoint may ask to wait; more than this is not waited."""


class Client:
    """A connection to one endpoint. Use it as an async context manager, within one event loop.

    Time is the clock of the loop. Environment proxies (`HTTPS_PROXY`, `NO_PROXY`, …) are used as by other HTTP tools,
    but never for loopback addresses; redirects are never followed, so a key only goes where the settings say.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        retries: Retries | None = None,
        seed: int = 0,
        dialect: dialects.Dialect | None = None,
        limiter: Limiter | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`seed` draws the jitter; `dialect` stands in for the endpoint's own; `limiter` and `clock`, which tells when
        attempts were sent, are shared with other clients.

        Raises ConfigError for an address or a key that cannot be used.
        """
        _check_key(endpoint)
        self.endpoint = endpoint
        self._dialect = dialect or dialects.named(endpoint.dialect)
        self._retries = retries or Retries()
        self._chance = random.Random(seed)
        self._limiter = limiter or limiter_of(endpoint)
        self._clock = clock or Clock()
        self._breaker = Breaker()
        self._numbers = itertools.count()
        self._connections = Connections(endpoint)
        self._address = httpx.URL(dialects.address(endpoint.base_url, self._dialect.PATH))
        self._headers = httpx.Headers(
            {
                "accept-encoding": "identity",  # what is not compressed cannot swell
                "content-type": "application/json",
                "user-agent": f"llmmigrate/{__version__}",
                **self._dialect.headers(endpoint.key),
            }
        )
        self._offered: asyncio.Task[tuple[str, ...] | None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._connections.aclose()

    def is_down(self) -> bool:
        """Whether the endpoint has failed so often in a row that nothing more is sent to it."""
        return self._breaker.is_open()

    @property
    def concurrency(self) -> int:
        """Requests at one time that the endpoint bears now, as far as its refusals told."""
        return self._limiter.allowed

    async def send(
        self,
        body: dict[str, Any],
        *,
        tokens: int = 0,
        stream: bool = True,
        on_send: OnSend | None = None,
        on_retry: OnRetry | None = None,
    ) -> Exchange:
        """Sends one request, again where that may help, and returns what came of it; failures are never raised.

        `body` is written in the endpoint's dialect; the model's name is put in here. `tokens` is what the request is
        expected to use, prompt and reply, for the limit of tokens a minute.
        """
        asked = _now()
        lag: float | None = None
        number = next(self._numbers)
        sent = self._dialect.prepare(body, self.endpoint.model, stream)
        request = self._request(sent)
        attempts: list[Attempt] = []
        tried: Tried | None = None
        while not self.is_down():
            async with self._limiter.turn(tokens) as began:
                if self.is_down():
                    break
                if on_send is not None:
                    await on_send()
                lag = (_now() - asked) * 1000 if lag is None else lag
                tried = await self._attempt(request, stream)
                attempts.append(tried.attempt)
                self._note(number, tried.attempt, began)
                failure = tried.attempt.failure
                if failure not in failures.RETRIED or len(attempts) == self._retries.attempts:
                    break
                if on_retry is not None:
                    on_retry(failure)
            await self._breaker.rest(self._delay(tried.attempt, len(attempts)))
        return await self._exchange(attempts, tried, sent, lag or 0.0)

    async def models(self) -> tuple[str, ...] | None:
        """The names of the models that the endpoint lists, sorted; None when it does not list them."""
        if self._offered is None:
            self._offered = asyncio.ensure_future(self._list_models())
        return await asyncio.shield(self._offered)

    def _request(self, sent: dict[str, Any]) -> httpx.Request:
        import httpx

        return httpx.Request(
            "POST",
            self._address,
            headers=self._headers,
            content=_encoded(sent),
            extensions={"timeout": {"connect": self.endpoint.timeouts.connect}},
        )

    async def _attempt(self, request: httpx.Request, stream: bool) -> Tried:
        with self._connections.one() as http:
            return await attempt(
                http,
                request,
                dialect=self._dialect,
                stream=stream,
                timeouts=self.endpoint.timeouts,
                key=self.endpoint.key,
                clock=self._clock,
            )

    def _note(self, number: int, made: Attempt, began: float) -> None:
        """Lets the limits and the breaker learn from an attempt."""
        if made.failure is None:
            self._limiter.succeeded()
        too_much = made.failure == "rate_limit" or (made.failure == "server" and made.status in _JAMS)
        new_jam = too_much and self._limiter.refused(began)
        if made.retry_after is not None and made.failure in failures.RETRIED:
            self._limiter.pause(min(made.retry_after, self._retries.longest_asked))
        if made.failure in failures.OUTAGE or made.failure == "rate_limit":
            self._breaker.failed(number, made.failure, new_jam)
        elif made.failure != "ours":
            self._breaker.succeeded()

    def _delay(self, made: Attempt, count: int) -> float:
        """Seconds before the next attempt: full jitter, as in the Exponential Backoff And Jitter of AWS.

        Where the endpoint has named a time, everybody waits for it together, and the jitter only spreads the return.
        """
        doublings = 0 if made.retry_after is not None else count - 1
        return self._chance.uniform(0.0, min(self._retries.longest, self._retries.base * 2**doublings))

    async def _exchange(
        self, attempts: list[Attempt], tried: Tried | None, sent: dict[str, Any], lag_ms: float
    ) -> Exchange:
        if tried is None:
            down = f"{self.endpoint.name} failed {Breaker.FAILURES} times in a row or more; nothing further was sent"
            return Exchange(attempts=(), failure="breaker", detail=down, lag_ms=lag_ms)
        last = tried.attempt
        named = failures.parameter(last.detail or "", sent) if last.failure == "unsupported_parameter" else None
        return Exchange(
            attempts=tuple(attempts),
            body=tried.body,
            events=tried.events,
            failure=last.failure,
            detail=await self._with_offer(last.detail) if last.failure == "not_found" else last.detail,
            parameter=named,
            lag_ms=lag_ms,
        )

    async def _with_offer(self, detail: str | None) -> str | None:
        """What the endpoint said about a model that it does not know, with the names that it does know."""
        offered = await self.models()
        if not offered:
            return detail
        near = errors.nearest(self.endpoint.model, offered) or offered[:5]
        return f"{(detail or 'not found').rstrip('.')}; the endpoint offers {', '.join(near)}" + (
            f" and {len(offered) - len(near)} more" if len(offered) > len(near) else ""
        )

    async def _list_models(self) -> tuple[str, ...] | None:
        import httpx

        address = dialects.address(self.endpoint.base_url, self._dialect.MODELS)
        request = httpx.Request("GET", address, headers=self._headers)
        try:
            async with asyncio.timeout(self.endpoint.timeouts.connect):
                with self._connections.one() as http:
                    text = await _read_some(http, request, _LISTED)
            found = msgspec.json.decode(text).get("data")
            names = {str(item["id"]) for item in found if isinstance(item["id"], str)}
        except (httpx.HTTPError, OSError, ValueError, AttributeError, TypeError, KeyError):
            return None
        return tuple(sorted(filter(None, (failures.shown(name, self.endpoint.key) for name in names))))


async def _read_some(http: httpx.AsyncBaseTransport, request: httpx.Request, most: int) -> bytes:
    response = await http.handle_async_request(request)
    try:
        text = b""
        async for chunk in response.aiter_bytes():
            text += chunk
            if len(text) > most:
                break
        return text
    finally:
        await response.aclose()


def limiter_of(endpoint: Endpoint) -> Limiter:
    """The limits that the settings have for an endpoint."""
    return Limiter(concurrency=endpoint.concurrency, rpm=endpoint.rpm, tpm=endpoint.tpm)


def _check_key(endpoint: Endpoint) -> None:
    if endpoint.key is not None and not (endpoint.key.isascii() and endpoint.key.isprintable()):
        raise errors.ConfigError(
            f"the key of '{endpoint.provider}' holds characters that no header can carry",
            fix=f"set {endpoint.key_env or 'its variable'} again, without line ends and quotation marks",
        )


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, or a huge number, as the log had it
        return json.dumps(body, separators=(",", ":")).encode()


def _now() -> float:
    return asyncio.get_running_loop().time()
