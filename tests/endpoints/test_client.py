"""The client against a server that misbehaves: every fault has its name, and nothing is lost or sent too often."""

import asyncio
import contextlib
import itertools
import random
import resource
from typing import Any

import pytest
from tests.endpoints.fast_loop import run_fast
from tests.endpoints.fault_server import FaultServer

from llmmigrate.endpoints.attempt import LARGEST_ANSWER
from llmmigrate.endpoints.client import Client, Retries
from llmmigrate.endpoints.exchange import Endpoint, Exchange, Failure, Timeouts
from llmmigrate.errors import ConfigError
from llmmigrate.units import Dialect

BODY: dict[str, Any] = {"model": "o3", "messages": [{"role": "user", "content": "What is the answer?"}]}
SECRET = "sk-zai-secret-123"
ONCE = Retries(attempts=1)
SHORT = Timeouts(connect=1.0, first_token=1.0, read=0.7, total=2.0)
PATIENT = Timeouts(connect=3_600, first_token=3_600, read=3_600, total=7_200)
"""Of a clock that runs faster: a machine that stands still for a moment is not what is tested."""
DIALECTS: tuple[Dialect, ...] = ("openai-chat", "openai-responses", "anthropic-messages")


def endpoint(server: FaultServer, **settings: Any) -> Endpoint:
    defaults: dict[str, Any] = {"provider": "zai", "model": "glm-5", "dialect": "openai-chat", "key": SECRET}
    return Endpoint(**{"base_url": server.base_url, **defaults, **settings})


async def ask(
    server: FaultServer, *, retries: Retries = ONCE, stream: bool = True, count: int = 1, **settings: Any
) -> list[Exchange]:
    """Sends `count` requests at once."""
    async with Client(endpoint(server, **settings), retries=retries) as client:
        return list(await asyncio.gather(*(client.send(BODY, stream=stream) for _ in range(count))))


def one(server: FaultServer, **settings: Any) -> Exchange:
    [exchange] = asyncio.run(ask(server, **settings))
    return exchange


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer(dialect: Dialect, stream: bool) -> None:
    with FaultServer() as server:
        exchange = one(server, dialect=dialect, stream=stream)
    assert exchange.failure is None
    assert bool(exchange.events) is stream
    assert (exchange.body is not None) is not stream
    [attempt] = exchange.attempts
    assert attempt.status == 200
    assert (attempt.ttft_ms is not None) is stream
    assert attempt.latency_ms >= (attempt.ttft_ms or 0) >= 0
    [asked] = server.requests
    assert asked.body["model"] == "glm-5"
    assert asked.body["messages"] == BODY["messages"]
    assert SECRET in " ".join(asked.headers.values())


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "behaviour",
    ["no_done", "no_usage", "no_last_line", "wrong_type", "byte_by_byte", "unasked_whole"],
)
def test_what_is_tolerated(dialect: Dialect, behaviour: str) -> None:
    with FaultServer(behaviour) as server:
        exchange = one(server, dialect=dialect)
    assert exchange.failure is None, exchange.detail
    assert exchange.body or exchange.events


SILENCE: list[tuple[str, Failure]] = [
    ("hang", "timeout_first_token"),
    ("hang_after_headers", "timeout_first_token"),
    ("hang_after_opening", "timeout_first_token"),
    ("pings_for_ever", "timeout_first_token"),
    ("hang_mid_stream", "timeout_read"),
    ("words_for_ever", "timeout_total"),
]


@pytest.mark.parametrize(("behaviour", "failure"), SILENCE, ids=[name for name, _ in SILENCE])
def test_silence_has_a_name_for_each_phase(behaviour: str, failure: Failure) -> None:
    with FaultServer(behaviour) as server:
        exchange = one(server, timeouts=SHORT)
    assert exchange.failure == failure, exchange.detail
    assert exchange.detail


def test_an_answer_in_one_piece_has_the_whole_time() -> None:
    with FaultServer("hang") as server:
        exchange = one(server, stream=False, timeouts=SHORT)
    assert exchange.failure == "timeout_total"
    assert exchange.attempts[0].latency_ms >= 2_000


FAULTS: list[tuple[str, Failure]] = [
    ("disconnect", "disconnected"),
    ("cut_mid_stream", "truncated_stream"),
    ("cut_mid_event", "truncated_stream"),
    ("truncate", "truncated_stream"),
    ("cut_whole", "truncated_stream"),
    ("html", "malformed"),
    ("garbage_event", "malformed"),
    ("foreign", "malformed"),
    ("swollen", "malformed"),
    ("empty", "empty"),
    ("only_thoughts", "empty"),
    ("no_body", "empty"),
    ("error_event", "server"),
    ("error_event:rate_limit_error", "rate_limit"),
    ("status:500", "server"),
    ("status:401", "auth"),
    ("status:404", "not_found"),
    ("status:429", "rate_limit"),
    ('error:400 {"error": {"code": "context_length_exceeded", "message": "too long"}}', "context_length"),
    ("error:400 no json", "bad_request"),
    ("redirect:http://127.0.0.1:9/elsewhere", "not_found"),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("behaviour", "failure"), FAULTS, ids=[name for name, _ in FAULTS])
def test_every_fault_has_its_name(dialect: Dialect, behaviour: str, failure: Failure) -> None:
    with FaultServer(behaviour) as server:
        exchange = one(server, dialect=dialect)
        assert len(server.requests) == 1
    assert exchange.failure == failure, exchange.detail
    assert exchange.detail
    assert exchange.attempts[0].failure == failure


@pytest.mark.parametrize("reason", ["content_filter", "sensitive"])
def test_an_answer_that_was_held_back(reason: str) -> None:
    with FaultServer(f"filtered:{reason}") as server:
        assert one(server).failure == "content_filter"


@pytest.mark.parametrize("stream", [True, False])
def test_an_endless_body_ends_in_a_failure(stream: bool) -> None:
    with FaultServer("huge") as server:
        exchange = one(server, stream=stream)
    assert exchange.failure == "malformed"
    assert f"{LARGEST_ANSWER // 1024**2} MiB" in (exchange.detail or "")


def test_an_answer_whose_stream_stays_open_is_whole() -> None:
    with FaultServer("hang_after_finish", scale=2) as server:
        [exchange] = run_fast(ask(server), 2)
    assert exchange.failure is None
    assert exchange.attempts[0].latency_ms < 5_000  # the wait for the end, five seconds, is not part of it


def test_a_server_that_is_not_there() -> None:
    with FaultServer() as server:
        pass
    exchange = one(server)
    assert exchange.failure == "connection"
    assert exchange.attempts[0].status is None


def test_the_words_of_a_broken_event_are_not_passed_on() -> None:
    with FaultServer("garbage_event") as server:
        assert "not json" not in (one(server).detail or "")


def test_no_http_at_all() -> None:
    with FaultServer("no_http") as server:
        assert one(server).failure in ("malformed", "disconnected")


def test_a_usage_that_was_billed_is_kept_with_an_empty_answer() -> None:
    with FaultServer(then="empty") as server:
        assert (one(server, stream=False).body or {})["usage"]["completion_tokens"] == 7
        assert one(server, stream=True).events


# --- time to the first token -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_first_token_is_the_first_content(dialect: Dialect) -> None:
    with FaultServer("spoken_slowly:0.2") as server:
        [attempt] = one(server, dialect=dialect).attempts
    assert attempt.ttft_ms is not None
    assert attempt.ttft_ms >= 200  # not the opening event
    assert attempt.latency_ms - attempt.ttft_ms >= 400  # nor the end: three more words, 200 ms before each


@pytest.mark.parametrize("dialect", DIALECTS)
def test_reasoning_counts_as_a_first_token(dialect: Dialect) -> None:
    with FaultServer("thought_first:0.4") as server:
        [attempt] = one(server, dialect=dialect).attempts
    assert attempt.ttft_ms is not None
    assert attempt.latency_ms - attempt.ttft_ms >= 200  # the visible words came 400 ms later


# --- trying again ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    ["status:400", "status:401", "status:404", "status:413", "status:422", "empty", "truncate", "html", "filtered"],
)
def test_what_another_try_cannot_mend_is_sent_once(behaviour: str) -> None:
    with FaultServer(behaviour) as server:
        exchange = one(server, retries=Retries(base=0.001))
        assert len(server.requests) == 1
    assert exchange.failure is not None
    assert len(exchange.attempts) == 1


@pytest.mark.parametrize("behaviour", ["status:500", "status:503", "status:529", "disconnect", "rate_limit", "hang"])
def test_what_may_pass_is_tried_again(behaviour: str) -> None:
    with FaultServer(behaviour, behaviour) as server:
        exchange = one(server, retries=Retries(base=0.001), timeouts=SHORT)
        assert len(server.requests) == 3
    assert exchange.failure is None
    assert [attempt.failure is None for attempt in exchange.attempts] == [False, False, True]
    assert exchange.first_failure == exchange.attempts[0].failure


def test_tries_are_limited() -> None:
    with FaultServer(then="status:500") as server:
        exchange = one(server, retries=Retries(attempts=4, base=0.001))
        assert len(server.requests) == len(exchange.attempts) == 4
    assert exchange.failure == "server"
    assert exchange.detail == "status 500"


@pytest.mark.parametrize("seed", [1, 2])
def test_the_wait_grows_and_is_drawn_from_a_seed(seed: int) -> None:
    async def work(server: FaultServer) -> None:
        async with Client(
            endpoint(server, timeouts=PATIENT), retries=Retries(attempts=5, base=4.0, longest=20.0), seed=seed
        ) as client:
            await client.send(BODY)

    with FaultServer(then="status:500", scale=100) as server:
        run_fast(work(server), 100)
        gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(server.requests)]
    drawn = random.Random(seed)
    waits = [drawn.uniform(0, most) for most in (4.0, 8.0, 16.0, 20.0)]
    assert all(gap >= wait - 0.1 for gap, wait in zip(gaps, waits, strict=True))
    assert sum(gaps) < sum(waits) + 1_000  # 10 s for this machine


SPELLINGS = (
    "retry-after=7",
    "retry-after-ms=7000",
    "x-ratelimit-reset-requests=7s",
    "x-ratelimit-reset-tokens=0m7.0s",
    "x-ratelimit-reset=7",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_endpoint_says_how_long_to_wait(spelling: str) -> None:
    with FaultServer(f"rate_limit:{spelling}", scale=50) as server:
        [exchange] = run_fast(ask(server, retries=Retries(), timeouts=PATIENT), 50)
        refused, answered = server.requests
    assert exchange.attempts[0].retry_after == 7.0
    assert 7.0 <= answered.at - refused.at < 600  # milliseconds taken for seconds would be 7,000


def test_a_date_says_how_long_to_wait() -> None:
    with FaultServer("rate_limit:retry-after=date+2") as server:
        exchange = one(server, retries=Retries(base=0.001))
        refused, answered = server.requests
    assert exchange.failure is None
    assert 0.5 < (exchange.attempts[0].retry_after or 0) <= 2.0
    assert 0.5 < answered.at - refused.at < 30.0


def test_nobody_waits_longer_than_the_limit() -> None:
    with FaultServer("rate_limit:retry-after=86400", scale=100) as server:
        [exchange] = run_fast(ask(server, retries=Retries(longest_asked=30), timeouts=PATIENT), 100)
        refused, answered = server.requests
    assert exchange.failure is None
    assert exchange.attempts[0].retry_after == 86_400
    assert 30 <= answered.at - refused.at < 1_000


def test_requests_a_minute_stay_within_the_limit_and_all_finish() -> None:
    """120 requests at 60 a minute, on a clock 60 times as fast, with refusals in every spelling on the way."""
    sent: list[float] = []

    async def work(server: FaultServer) -> list[Exchange]:
        async def note() -> None:
            sent.append(asyncio.get_running_loop().time())

        async with Client(endpoint(server, rpm=60, concurrency=32, timeouts=PATIENT)) as client:
            return list(await asyncio.gather(*(client.send(BODY, on_send=note) for _ in range(120))))

    script = tuple(
        behaviour
        for spelling in (*SPELLINGS, "retry-after=date+1")
        for behaviour in ("ok", "ok", f"rate_limit:{spelling}", "ok")
    )
    with FaultServer(*script, scale=60, rpm=60) as server:
        exchanges = run_fast(work(server), 60)
    assert [exchange.failure for exchange in exchanges] == [None] * 120
    assert len(sent) >= 126
    assert max(sum(at <= other < at + 60 for other in sent) for at in sent) <= 60
    assert sent[-1] - sent[0] < 900  # 126 s for the limit, at most 45 s of asked waits, and 12 s of this machine


def test_a_server_that_bears_less_than_we_send_is_not_overrun() -> None:
    """The server lets 30 a minute through, and nobody has told the client."""
    with FaultServer(scale=100, rpm=30) as server:
        exchanges = run_fast(ask(server, count=60, retries=Retries(), concurrency=16, timeouts=PATIENT), 100)
        assert [exchange.failure for exchange in exchanges] == [None] * 60
        assert len(server.requests) < 60 + 40  # some refusals, no storm


# --- when the endpoint is down -----------------------------------------------------------------------------------


def test_an_outage_stops_the_sending() -> None:
    async def work(server: FaultServer) -> tuple[list[Exchange], bool]:
        async with Client(endpoint(server, concurrency=4), retries=Retries(base=0.001)) as client:
            return [await client.send(BODY) for _ in range(100)], client.is_down()

    with FaultServer(then="status:503") as server:
        exchanges, is_down = asyncio.run(work(server))
        assert is_down
        assert 20 <= len(server.requests) <= 60
    assert exchanges[0].failure == "server"
    assert exchanges[-1].failure == exchanges[-1].first_failure == "breaker"
    assert exchanges[-1].attempts == ()
    assert "zai/glm-5" in (exchanges[-1].detail or "")


def test_slow_failures_are_an_outage_too() -> None:
    """Failures that take 60 seconds each, 16 at one time."""
    with FaultServer(then="slow_error:60", scale=200) as server:
        exchanges = run_fast(ask(server, count=64, concurrency=16, retries=Retries(), timeouts=PATIENT), 200)
        assert len(server.requests) <= 20 + 16
    assert {exchange.failure for exchange in exchanges} == {"server", "breaker"}
    assert exchanges[0].attempts[0].latency_ms >= 60_000


def test_random_failures_are_no_outage() -> None:
    with FaultServer(shares={"status:500": 0.3}, seed=3) as server:
        exchanges = asyncio.run(ask(server, count=150, retries=Retries(attempts=12, base=0.001)))
    firsts = sum(exchange.first_failure == "server" for exchange in exchanges)
    assert 25 <= firsts <= 65
    assert all(exchange.failure is None for exchange in exchanges)


def test_requests_that_are_wrong_are_no_outage() -> None:
    with FaultServer(then="status:400") as server:
        assert {exchange.failure for exchange in asyncio.run(ask(server, count=40))} == {"bad_request"}
        assert len(server.requests) == 40


# --- our own faults ----------------------------------------------------------------------------------------------


def test_no_more_handles_is_our_own_fault() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def work(server: FaultServer) -> Exchange:
        async with Client(endpoint(server), retries=ONCE) as client:
            with contextlib.ExitStack() as open_files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
                open_files.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
                with contextlib.suppress(OSError):
                    while True:
                        open_files.enter_context(open("/dev/null"))
                return await client.send(BODY)

    with FaultServer() as server:
        exchange = asyncio.run(work(server))
    assert exchange.failure == "ours"
    assert "Too many open files" in (exchange.detail or "")


def test_what_the_hook_raises_stops_the_request_before_it_is_sent() -> None:
    class FullError(Exception):
        pass

    async def refuse() -> None:
        raise FullError

    async def work(server: FaultServer) -> Exchange:
        async with Client(endpoint(server, concurrency=1)) as client:
            with pytest.raises(FullError):
                await client.send(BODY, on_send=refuse)
            assert server.requests == []
            return await client.send(BODY)

    with FaultServer() as server:
        assert asyncio.run(work(server)).failure is None


def test_the_hooks_are_told_of_each_attempt_and_of_what_is_made_again() -> None:
    told: list[tuple[str, int]] = []

    async def work(server: FaultServer) -> None:
        async def leaving() -> None:
            told.append(("sent", len(server.requests)))

        def again(failure: Failure) -> None:
            told.append((failure, len(server.requests)))

        async with Client(endpoint(server), retries=Retries(base=0.001)) as client:
            await client.send(BODY, on_send=leaving, on_retry=again)

    with FaultServer("status:500", "rate_limit") as server:
        asyncio.run(work(server))
    assert told == [("sent", 0), ("server", 1), ("sent", 1), ("rate_limit", 2), ("sent", 2)]


def test_the_wait_for_our_own_limits_is_told_apart() -> None:
    with FaultServer(scale=50) as server:
        first, second = run_fast(ask(server, count=2, rpm=2, timeouts=PATIENT), 50)
    assert second.lag_ms - first.lag_ms >= 30_000
    assert second.attempts[0].latency_ms < 30_000


def test_a_cancelled_request_gives_its_place_back() -> None:
    async def work(server: FaultServer) -> Exchange:
        async with Client(endpoint(server, concurrency=1)) as client:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.send(BODY)
            return await client.send(BODY)

    with FaultServer("hang") as server:
        assert asyncio.run(work(server)).failure is None


def test_connections_are_used_again() -> None:
    async def work(server: FaultServer) -> None:
        async with Client(endpoint(server, concurrency=2)) as client:
            for _ in range(10):
                assert (await client.send(BODY)).failure is None

    with FaultServer() as server:
        asyncio.run(work(server))
        assert server.connections <= 2


# --- what the endpoint offers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_model_that_is_not_there_comes_with_the_names_that_are(dialect: Dialect) -> None:
    with FaultServer(then="status:404", models=("glm-5", "glm-5-air", "embedding-3")) as server:
        exchange = one(server, dialect=dialect, model="glm5")
    assert exchange.failure == "not_found"
    assert exchange.detail == "status 404; the endpoint offers glm-5, glm-5-air and 1 more"


@pytest.mark.parametrize("behaviour", ["status:500", "html", "huge", "hang", "foreign", "cut_whole"])
def test_a_list_that_cannot_be_read_is_no_list(behaviour: str) -> None:
    async def work(server: FaultServer) -> tuple[str, ...] | None:
        async with Client(endpoint(server, timeouts=SHORT)) as client:
            return await client.models()

    with FaultServer(listing=behaviour) as server:
        assert asyncio.run(work(server)) is None


# --- keys and addresses ------------------------------------------------------------------------------------------


def test_a_key_that_the_endpoint_repeats_is_not_passed_on() -> None:
    with FaultServer('error:401 {"error": {"message": "wrong key sk-zai-secret-123"}}') as server:
        exchange = one(server)
        assert SECRET not in repr(endpoint(server))
    assert exchange.detail == "wrong key [key]"
    assert "secret" not in repr(exchange)


def test_a_key_does_not_follow_a_redirect() -> None:
    with FaultServer() as elsewhere, FaultServer(f"redirect:{elsewhere.base_url}") as server:
        exchange = one(server)
        assert elsewhere.requests == []
    assert elsewhere.base_url in (exchange.detail or "")


def test_loopback_is_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with FaultServer() as server:
        assert one(server).failure is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_url": "api.example.com/v1"}, "no web address"),
        ({"base_url": "ftp://example.com"}, "no web address"),
        ({"base_url": "http://"}, "no web address"),
        ({"base_url": "https://example.com/v1?api-version=1"}, "something behind its path"),
        ({"base_url": "http://[::1"}, "no web address"),
        ({"base_url": "https://me:secret@example.com/v1"}, "user name or a password"),
        ({"key": "secret\n", "key_env": "ZAI_API_KEY"}, "no header can carry"),
        ({"key": "schlüssel"}, "no header can carry"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        Client(
            Endpoint(**{"provider": "zai", "model": "m", "base_url": "http://x", "dialect": "openai-chat"} | settings)
        )
    assert "secret" not in str(raised.value) + str(raised.value.fix)


@pytest.mark.parametrize("value", ["\ud800 half a pair", 2**80, "\x00", "日本語"])
def test_odd_requests_are_sent_as_they_are(value: Any) -> None:
    async def work(server: FaultServer) -> Exchange:
        async with Client(endpoint(server), retries=ONCE) as client:
            return await client.send({**BODY, "user": value})

    with FaultServer() as server:
        assert asyncio.run(work(server)).failure is None
        assert server.requests[0].body["user"] == value


def test_other_addresses_are_asked_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url.removesuffix("/v1"))
        exchange = one(proxy, base_url="http://model.invalid/v1")
        assert [asked.path for asked in proxy.requests] == ["http://model.invalid/v1/chat/completions"]
    assert exchange.failure is None


def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    with FaultServer() as server:
        exchange = one(server, base_url=server.base_url.replace("http:", "https:"))
        assert server.requests == []
    assert exchange.failure == "connection"
