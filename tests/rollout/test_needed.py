"""A run of continuous integration fails, and skips nothing in silence, where a gateway that it needs is missing."""

import subprocess
from pathlib import Path

import pytest
from tests.conftest import NO_DATA, NO_GATEWAY, NO_ROOT, ROOT, unexpected_skips
from tools import needed_gateways

from llmmigrate.rollout import process

SKIPPED = [f"tests/rollout/test_x.py::test_y: {reason}" for reason in NO_GATEWAY]


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def stood_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that say a version and nothing else, for all three."""
    for name in needed_gateways.NEEDED:
        monkeypatch.setenv(f"LLMMIGRATE_{name.upper()}", program(tmp_path / name, f"echo {name} version: 1.2.3"))


def test_with_all_three_the_run_goes_on(stood_in: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert needed_gateways.main() == 0
    assert capsys.readouterr().out.splitlines() == ["envoy 1.2.3", "nginx 1.2.3", "litellm 1.2.3"]


@pytest.mark.parametrize("name", ["envoy", "nginx", "litellm"])
def test_without_one_of_them_it_ends(
    name: str, stood_in: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"LLMMIGRATE_{name.upper()}", f"/nowhere/{name}")
    assert needed_gateways.main() == 1
    said = capsys.readouterr()
    assert f"{name} is needed here: there is no program /nowhere/{name} here" in said.err
    assert "install" in said.err
    assert len(said.out.splitlines()) == 2


def test_one_that_does_not_run_is_none(
    stood_in: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMMIGRATE_NGINX", program(tmp_path / "broken", "echo no library >&2; exit 127"))
    assert needed_gateways.main() == 1
    assert "nginx is needed here: it does not say its version" in capsys.readouterr().err


def test_one_that_hangs_or_is_no_program_is_none(
    stood_in: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process, "_CHECK_SECONDS", 0.5)
    monkeypatch.setenv("LLMMIGRATE_NGINX", program(tmp_path / "hanging", "exec sleep 20"))
    broken = Path(program(tmp_path / "broken", ""))
    broken.write_bytes(b"\x7fELF of another machine")
    monkeypatch.setenv("LLMMIGRATE_ENVOY", str(broken))
    assert needed_gateways.main() == 1
    said = capsys.readouterr().err
    assert f"nginx is needed here: {tmp_path}/hanging does not say its version" in said
    assert f"envoy is needed here: {broken} cannot be run" in said


@pytest.mark.parametrize(("missing", "drilled", "code"), [("", 5, 1), ("nginx", 0, 1)])
def test_the_script_ends_where_a_gateway_is_missing_or_a_drill_fails_twice(
    missing: str, drilled: int, code: int, tmp_path: Path
) -> None:
    """`.ci/real-parts` itself, with stand-ins for what installs, drills and tests; the drills of LiteLLM fail."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / "bin").mkdir()
    venv = tmp_path / ".venv" / "bin"
    venv.mkdir(parents=True)
    (tmp_path / ".ci" / "real-parts").write_text((ROOT / ".ci" / "real-parts").read_text())
    log = tmp_path / "drilled"
    program(tmp_path / "bin" / "id", "echo 1000")
    program(tmp_path / "bin" / "make", "exit 0")
    program(venv / "pip", "exit 1")
    program(venv / "pytest", "exit 0")
    program(venv / "python", f'test "$2" = tools.needed_gateways && test -z "{missing}"')
    program(
        venv / "llmmigrate",
        f'echo "$*" >> {log}; case "$*" in *litellm*) exit 1;; *nginx*) test $(wc -l < {log}) -ge 3;; esac',
    )
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(["bash", str(tmp_path / ".ci" / "real-parts")], env={"PATH": path}, check=False)
    assert done.returncode == code
    lines = log.read_text().splitlines() if log.exists() else []
    assert len(lines) == drilled
    assert all("--exit-zero" not in line for line in lines)


@pytest.mark.parametrize("gateway", ["envoy", "nginx", "litellm", "SDK of OpenAI"])
def test_a_skip_for_want_of_a_gateway_fails_a_run_that_has_to_have_it(gateway: str) -> None:
    (line,) = [line for line in SKIPPED if line.endswith(f"{gateway} is not installed")]
    environment = {"LLMMIGRATE_GATEWAYS": "1", "LLMMIGRATE_LITELLM": "litellm"}
    assert unexpected_skips([line], environment, data=True, root=True) == [line]
    assert unexpected_skips([line], {}, data=True, root=True) == []


def test_other_skips_are_known_where_their_reason_holds() -> None:
    lines = ["a: haproxy is not installed", f"b: {NO_DATA}", f"c: {NO_ROOT}", "d: not today"]
    assert unexpected_skips(lines, {"LLMMIGRATE_GATEWAYS": "1"}, data=False, root=False) == ["d: not today"]
    assert unexpected_skips(lines, {}, data=True, root=True) == lines[1:]
