"""The alert at a real webhook: signed, sent again, and never unsigned where a secret is named."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.rollout.live import emitted

from llmmigrate.errors import UsageError
from llmmigrate.rollout.drill.lab import free_ports
from llmmigrate.rollout.plan import Monitoring
from llmmigrate.rollout.webhook import alert, check_webhook
from llmmigrate.rollout.wire import Listening, Reply, Request


def test_an_alert_is_signed_and_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    got, failed = asyncio.run(_alerted(statuses=[503, 204]))
    assert failed is None
    assert len(got) == 2
    expected = hmac.new(b"s3cret", got[1].body, hashlib.sha256).hexdigest()
    assert got[1].headers["x-llmmigrate-signature"] == f"sha256={expected}"
    assert json.loads(got[1].body) == {"event": "rollback"}


def test_an_alert_that_nobody_takes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    got, failed = asyncio.run(_alerted(statuses=[500, 500, 500]))
    assert (len(got), failed) == (3, "HTTP 500")


async def _alerted(
    statuses: list[int], *, end: str = "", variable: pytest.MonkeyPatch | None = None
) -> tuple[list[Request], str | None]:
    """What a webhook got that is named by its address or, with its end, by a variable; and why it was not taken."""
    got: list[Request] = []

    async def answer(request: Request, reply: Reply) -> None:
        got.append(request)
        await reply.send(statuses[len(got) - 1], b"", {})

    (port,) = await free_ports(1)
    hook = Listening(answer)
    await hook.start(port)
    address = f"http://127.0.0.1:{port}/hook"
    if variable is not None:
        variable.setenv("HOOK", address + end)
    monitoring = Monitoring(webhook="env:HOOK" if variable else address, webhook_secret="SECRET")
    failed = await asyncio.to_thread(alert, monitoring, {"event": "rollback"})
    hook.stop()
    return got, failed


@pytest.mark.parametrize("address", ["hooks.example.com", "http://[::1", "ftp://example.com/x"])
def test_an_address_that_is_none_is_refused_at_the_start_and_stays_unsaid(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", address)
    with pytest.raises(UsageError, match="HOOK holds no address of a webhook") as refused:
        check_webhook(Monitoring(webhook="env:HOOK"))
    assert address not in f"{refused.value.what}{refused.value.why}{refused.value.fix}"


def test_the_line_end_of_a_secret_s_file_is_no_part_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    got, failed = asyncio.run(_alerted(statuses=[204], end="\n", variable=monkeypatch))
    assert (len(got), failed) == (1, None)


def test_an_address_that_cannot_be_asked_ends_no_watch() -> None:
    assert alert(Monitoring(webhook="http://a..b/"), {}) == "UnicodeError"


def test_a_variable_that_is_not_set_is_said() -> None:
    assert alert(Monitoring(webhook="env:NO_SUCH_HOOK"), {}) == "NO_SUCH_HOOK is not set"
    assert alert(Monitoring(), {}) is None


@pytest.mark.parametrize("command", ["watch", "run"])
def test_a_secret_that_is_not_set_is_refused_at_the_start(
    command: str, tmp_path: Path, llmmigrate: Callable[..., Any]
) -> None:
    extra = "monitoring: {every: 10ms, webhook: 'http://127.0.0.1:9/', webhook_secret: 'env:NO_SUCH_SECRET'}\n"
    here = emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="half", extra=extra)
    done = llmmigrate("rollout", command, str(here.path), *(["--once"] if command == "watch" else []))
    assert done.code == 2
    assert "NO_SUCH_SECRET is not set" in done.err
    assert here.place.state() is None
    assert alert(here.plan.monitoring, {"event": "rollback"}) == "NO_SUCH_SECRET is not set"


@pytest.mark.parametrize("command", ["watch", "run"])
def test_an_address_that_is_not_set_is_refused_at_the_start(
    command: str, tmp_path: Path, llmmigrate: Callable[..., Any]
) -> None:
    here = emitted(
        tmp_path, "envoy", [1, 2, 3, 4, 5], stage="half", extra="monitoring: {webhook: 'env:NO_SUCH_HOOK'}\n"
    )
    done = llmmigrate("rollout", command, str(here.path), *(["--once"] if command == "watch" else []))
    assert (done.code, here.place.state()) == (2, None)
    assert "NO_SUCH_HOOK is not set" in done.err
    assert "nobody would be told of a rollback" in done.err
