"""What all tests share: a clean environment, no network, the data folder, and a policy for skipped tests."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
NOT_NEEDED = ("haproxy is not installed",)
"""Gateways that no run needs; the others have to be there where LLMMIGRATE_GATEWAYS is set."""
NO_GATEWAY = tuple(f"{name} is not installed" for name in ("envoy", "nginx", "haproxy", "litellm", "SDK of OpenAI"))
NOT_ASKED = "a real gateway measures time and runs alone (LLMMIGRATE_GATEWAYS=1 asks for it)"
NO_DATA = "the data folder is absent (LLMMIGRATE_DATA, default ../shared/data)"
NO_BROWSER = "Chromium is not installed"
NO_AXE = "axe-core is not installed (make browser)"
NO_ENGINE = "torch and the extra [serve] are not installed (LLMMIGRATE_REAL_ENGINE=1 asks for them)"
NO_LLAMA_CPP = "llama-server is not on the PATH"
NO_VLLM = "vllm is not on the PATH, or torch and transformers are not installed"
NO_PARSER = ("vllm is not on the PATH", "sglang is not on the PATH")
NO_CHECKER = "is not installed here: nothing checks this file but us"
NO_RELAY = "litellm is not installed"
NO_ROOT = "only root starts workers as another user"

_skipped: list[str] = []

# How long an example takes tells of the machine and not of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


class Outcome(NamedTuple):
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("LLMMIGRATE_") or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a test opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def _data_folder() -> Path:
    return Path(os.environ.get("LLMMIGRATE_DATA") or ROOT.parent / "shared" / "data")


_DATA = _data_folder()  # before clean_environment hides the variable
GATEWAYS = bool(os.environ.get("LLMMIGRATE_GATEWAYS"))
LITELLM = os.environ.get("LLMMIGRATE_LITELLM")
"""The program of LiteLLM's proxy, in an environment of its own: it wants other versions than we do."""


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real inputs; the test is skipped where it is absent."""
    if not _DATA.is_dir():
        pytest.skip(NO_DATA)
    return _DATA


@pytest.fixture
def llmmigrate(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs a command line in this process."""

    def run(*arguments: str) -> Outcome:
        from llmmigrate.cli.app import main

        with pytest.raises(SystemExit) as stop:
            main(arguments)
        written = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Outcome(stop.value.code, written.out, written.err)

    return run


def _note_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
        _skipped.append(f"{report.nodeid}: {report.longrepr[2].removeprefix('Skipped: ')}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note_skip(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note_skip(report)


def unexpected_skips(skipped: Sequence[str], environment: Mapping[str, str], *, data: bool, root: bool) -> list[str]:
    """Skips without a known reason. `data` and `root`: whether the data folder is here, whether root runs the tests.

    LLMMIGRATE_BROWSER says that there has to be a browser with axe-core, LLMMIGRATE_REAL_ENGINE an engine,
    LLMMIGRATE_GATEWAYS all gateways but HAProxy, LLMMIGRATE_LITELLM where LiteLLM is.
    """
    asked_by = {
        NO_BROWSER: "LLMMIGRATE_BROWSER",
        NO_AXE: "LLMMIGRATE_BROWSER",
        NO_ENGINE: "LLMMIGRATE_REAL_ENGINE",
        NO_RELAY: "LLMMIGRATE_LITELLM",
        **dict.fromkeys((*NO_GATEWAY, NOT_ASKED), "LLMMIGRATE_GATEWAYS"),
    }
    expected = (
        NO_CHECKER,
        NO_LLAMA_CPP,
        NO_VLLM,
        *NO_PARSER,
        *NOT_NEEDED,
        *(() if data else (NO_DATA,)),
        *(() if root else (NO_ROOT,)),
        *(reason for reason, variable in asked_by.items() if not environment.get(variable)),
    )
    return [line for line in skipped if not line.endswith(expected)]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With LLMMIGRATE_STRICT_SKIPS (continuous integration), a skip without a known reason fails the run."""
    unexpected = unexpected_skips(_skipped, os.environ, data=_DATA.is_dir(), root=os.geteuid() == 0)
    if unexpected and os.environ.get("LLMMIGRATE_STRICT_SKIPS"):
        print("\nunexpected skips:", *unexpected, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
