"""Shadow runs and audits beside a plan: what `rollout lint` makes of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.reports.runs import Ran, broken, passed, undecided
from tests.rollout.conftest import PLAN

from llmmigrate.shadow.runs import Plan, new_run

Run = Callable[..., Any]
NOON = 1_795_348_800


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("migration.yaml").write_text(PLAN.replace("context: 64k", "context: 200k"))


def keep(ran: Ran, *, at: int = NOON, ended: str = "2026-11-22T12:00:00Z", url: str | None = None) -> Path:
    """A run as `shadow` leaves it behind."""
    plan = Plan(current="openai/o3", target="zai/glm-5", logs=("logs.jsonl",), target_url=url, canary="0.1", seed=1)
    folder = new_run(Path(), at, plan)
    result = msgspec.structs.replace(ran.result, run=folder.name, ended=ended)
    (folder / "verdict.json").write_bytes(msgspec.json.encode(result))
    return folder


def linted(llmmigrate: Run, *more: str, code: int = 0) -> dict[str, str]:
    """The messages of the remarks by their code."""
    done = llmmigrate("rollout", "lint", "--format", "json", *more)
    assert done.code == code, done.err
    return {remark["code"]: remark["message"] for remark in json.loads(done.out)["remarks"]}


def test_nothing_is_said_where_nothing_is_at_hand(llmmigrate: Run) -> None:
    assert linted(llmmigrate) == {}


def test_a_pass_is_shown_and_no_remark(llmmigrate: Run) -> None:
    keep(passed())
    assert linted(llmmigrate) == {}
    assert "shadow: PASS for zai/glm-5 at 2026-11-22T12:00:00Z" in llmmigrate("rollout", "lint").out


def test_a_fail_is_an_error_and_undecided_a_warning(llmmigrate: Run) -> None:
    keep(undecided())
    assert "is INCONCLUSIVE" in linted(llmmigrate)["no_pass"]
    keep(broken(), at=NOON + 60, ended="2026-11-22T12:01:00Z")
    assert "says FAIL" in linted(llmmigrate, code=1)["shadow_fail"]
    keep(passed(), at=NOON + 120, ended="2026-11-22T12:02:00Z")
    assert linted(llmmigrate) == {}


def test_a_run_of_another_model_or_place_is_not_used(llmmigrate: Run) -> None:
    keep(passed(), url="https://elsewhere.example/v1")
    assert linted(llmmigrate)["no_verdict"].startswith("no shadow run speaks of glm-5 at api.z.ai; there are some of")
    keep(passed(), at=NOON + 60, url="https://api.z.ai/api/paas/v4")
    assert linted(llmmigrate) == {}
    path = Path("migration.yaml")
    path.write_text(path.read_text().replace("o3: glm-5", "o3: glm-6"))
    assert "speaks of glm-6" in linted(llmmigrate)["no_verdict"]


def test_a_verdict_that_cannot_be_read_is_said_and_a_named_one_is_an_error(llmmigrate: Run) -> None:
    folder = keep(passed())
    (folder / "verdict.json").write_text("{")
    done = llmmigrate("rollout", "lint")
    assert (done.code, "left out: this is no verdict" in done.err) == (0, True)
    assert llmmigrate("rollout", "lint", "--shadow", folder.name).code == 2
    (folder / "verdict.json").unlink()
    assert "has not ended" in llmmigrate("rollout", "lint", "--shadow", folder.name).err


def test_calls_that_an_audit_refuses(llmmigrate: Run) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    for number in range(4):
        content = [{"type": "text", "text": "hello"}, *([image] if number == 0 else [])]
        request = {"model": "o3", "messages": [{"role": "user", "content": content}]}
        usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
        line = {"timestamp": f"2026-10-01T00:00:0{number}Z", "provider": "openai", "request": request}
        line |= {"response": {"model": "o3", "usage": usage}}
        with Path("logs.jsonl").open("a") as stream:
            stream.write(json.dumps(line) + "\n")
    llmmigrate("audit", "logs.jsonl", "--to", "zai/glm-5", "-o", "audit.json")
    said = linted(llmmigrate, "--audit", "audit.json")["audit_refused"]
    assert said.startswith("1 of 4 calls are refused by zai/glm-5")
    assert said.endswith("unless drop_params or map_params changes them")
    lines = Path("migration.yaml").read_text().splitlines(keepends=True)
    Path("migration.yaml").write_text("".join(line for line in lines if "_params" not in line))
    assert linted(llmmigrate, "--audit", "audit.json", code=1)["audit_refused"].endswith("audit.json")
    llmmigrate("audit", "logs.jsonl", "--to", "openai/gpt-4.1", "-o", "other.json")
    assert "no audit speaks of glm-5" in linted(llmmigrate, "--audit", "other.json")["no_audit"]
    assert llmmigrate("rollout", "lint", "--audit", "logs.jsonl").code == 2
