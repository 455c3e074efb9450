"""The command that a run prints for going on works as it stands, and gets further."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Outcome
from tests.endpoints.fault_server import FaultServer
from tests.shadow.make_log import write_log
from tests.shadow.project import the_run, verdict
from tests.shadow.servers import speaker

Run = Callable[..., Outcome]
GATES = ("--gate", "latency_p95=off", "--gate", "errors=<= +10pt", "--gate", "agreement=off")
PRICED = 'to: {provider: zai, model: glm-5}\nproviders:\n  zai: {base_url: "URL", dialect: openai-chat}\n'
OWN = 'to: {provider: local, model: glm-5}\nproviders:\n  local: {base_url: "URL", dialect: openai-chat, price: zero}\n'


@pytest.fixture(autouse=True)
def folder(project: Path) -> Path:
    return write_log(project / "logs.jsonl", 150).parent


def configure(current: FaultServer, target: FaultServer, to: str = OWN) -> None:
    Path("other.yaml").write_text(f"""\
version: 1
logs: [logs.jsonl]
from: {{provider: openai, model: o3, base_url: "{current.base_url}", api_key_env: OPENAI_API_KEY}}
{to.replace("URL", target.base_url)}""")


def step(said: str) -> list[str]:
    """The words of the command that is printed to go on."""
    return next(
        shlex.split(line.removeprefix("→ llmmigrate ")) for line in said.splitlines() if line.startswith("→ llm")
    )


def test_after_a_cap_the_step_leaves_room(llmmigrate: Run, folder: Path) -> None:
    write_log(folder / "logs.jsonl", 150, tokens=(1, 1))  # the answers take more than the log lets expect
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker()) as target:
        configure(current, target)
        options = ("--config", "other.yaml", "--cost-sample", "0", "--max-output-tokens", "500", *GATES)
        first = llmmigrate("shadow", "--canary", "90%", "--yes", "--max-cost", "0.008", *options)
        assert verdict()["reason"] == "budget", first.out + first.err
        sent = len(current.requests)
        words = step(first.out)
        assert words == ["shadow", "--resume", the_run().name, "--config", "other.yaml", "--max-cost", "0.016"]
        again = llmmigrate(*words, "--yes")
        assert len(current.requests) > sent, again.out + again.err


def test_a_cap_in_tokens_is_raised_and_not_the_one_in_dollars(llmmigrate: Run) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker()) as target:
        configure(current, target)
        options = ("--config", "other.yaml", "--cost-sample", "0", "--max-output-tokens", "100", *GATES)
        first = llmmigrate("shadow", "--canary", "90%", "--yes", "--max-tokens-total", "1k", *options)
        assert verdict()["reason"] == "budget", first.out + first.err
        words = step(first.out)
        assert words[-2:] == ["--max-tokens-total", "2000"]
        assert "--max-cost" not in words
        sent = len(current.requests)
        llmmigrate(*words, "--yes")
    assert len(current.requests) > sent


@pytest.mark.parametrize("to", [OWN, PRICED])
def test_after_a_pass_only_a_target_with_a_table_is_estimated(llmmigrate: Run, to: str) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker()) as target:
        configure(current, target, to)
        options = ("--config", "other.yaml", "--cost-sample", "20", "--max-output-tokens", "500", *GATES)
        found = llmmigrate("shadow", "--canary", "95%", "--yes", *options)
    assert found.code == 0, found.out + found.err
    if to == OWN:
        assert "→ llmmigrate" not in found.out
        return
    estimate = llmmigrate(*step(found.out))
    assert estimate.code == 0, estimate.err
    assert "zai/glm-5" in estimate.out


@pytest.mark.parametrize(
    ("status", "advice"), [(401, "api_key_env"), (402, "the account at local, or see to its billing")]
)
def test_a_refusal_names_what_to_mend_and_how_to_go_on(llmmigrate: Run, status: int, advice: str) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(then=f"status:{status}") as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "90%", "--yes", "--config", "other.yaml")
    assert found.code == 2
    assert f"{advice}; then go on with llmmigrate shadow --resume {the_run().name} --config other.yaml" in found.err
    assert ("api_key_env" in found.err) is (status == 401)


def test_a_batch_goes_on_by_the_command_that_it_prints(llmmigrate: Run) -> None:
    body = {"messages": [{"role": "user", "content": "question"}], "max_tokens": 50}
    lines = (json.dumps({"custom_id": str(number), "body": body}) + "\n" for number in range(40))
    Path("requests.jsonl").write_text("".join(lines))
    with FaultServer() as current, FaultServer() as target:
        configure(current, target, PRICED)
        first = llmmigrate(
            "batch", "requests.jsonl", "--to", "zai/glm-5", "-o", "answers.jsonl", "--max-cost", "0.001",
            "--config", "other.yaml",
        )  # fmt: skip
        assert first.code == 3, first.err
        sent = len(target.requests)
        words = step(first.out)
        assert words == [
            *("batch", "requests.jsonl", "--to", "zai/glm-5", "-o", "answers.jsonl", "--resume"),
            *("--max-cost", "0.002", "--config", "other.yaml"),
        ]
        target.then = "status:402"
        refused = llmmigrate(*words)
        assert len(target.requests) > sent, refused.out + refused.err
    assert refused.code == 2, refused.out
    assert (
        "at zai, or see to its billing; then go on with llmmigrate batch requests.jsonl --to zai/glm-5" in refused.err
    )
