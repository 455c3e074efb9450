"""The whole command against two real servers on loopback: what a user types, sees and gets."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome
from tests.endpoints.fault_server import FaultServer
from tests.shadow.make_log import write_log
from tests.shadow.project import configure, the_run, verdict
from tests.shadow.servers import speaker

Run = Callable[..., Outcome]
LENIENT = ("--gate", "latency_p95=off", "--gate", "errors=<= +5pt", "--gate", "agreement=>= -20pt")
"""Gates that a few hundred pairs on a busy machine can decide."""


@pytest.fixture(autouse=True)
def folder(project: Path) -> Path:
    return write_log(project / "logs.jsonl", 400).parent


def run_name() -> str:
    return the_run().name


def test_a_target_that_is_as_good_passes(llmmigrate: Run) -> None:
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1, seed=1)) as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "90%", "--yes", "--cost-sample", "20", *LENIENT)
    assert found.code == 0, found.out + found.err
    assert found.out.startswith("PASS")
    result = verdict()
    assert result["verdict"] == "PASS"
    assert result["target"]["name"] == "local/glm-5"
    names = {path.name for path in Path(".llmmigrate/runs", run_name()).iterdir()}
    assert names >= {"plan.json", "journal.jsonl", "verdict.json", "summary.md", "comparison.html", "calibration.json"}


def test_a_target_with_thirty_percent_errors_fails(llmmigrate: Run) -> None:
    with (
        FaultServer(say=speaker()) as current,
        FaultServer(say=speaker(), shares={'error:400 {"error": {"message": "no"}}': 0.3}) as target,
    ):
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "90%", "--yes", *LENIENT)
    assert found.code == 1, found.out + found.err
    assert "errors" in found.out
    assert verdict()["reason"] == "gate_broken"
    assert len(target.requests) < 200, "it stops once it is decided"
    journal = Path(".llmmigrate/runs", run_name(), "journal.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["type"] for line in journal]
    after = kinds[len(kinds) - kinds[::-1].index("pair") :]
    assert "result" in after, "nothing was under way when it was decided"
    assert "sent" not in after


def test_answers_about_something_else_fail(llmmigrate: Run) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker(drop=0.6)) as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "90%", "--yes", *LENIENT)
    assert found.code == 1, found.out + found.err
    broken = [gate["key"] for gate in verdict()["gates"] if gate["result"] == "FAIL"]
    assert broken == ["agreement"]


def test_nothing_is_sent_by_a_dry_run(llmmigrate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with FaultServer() as current, FaultServer() as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "10%", "--dry-run")
    assert found.code == 0, found.err
    assert "Nothing has been sent" in found.out
    assert not current.requests
    assert not target.requests
    assert not Path(".llmmigrate/runs").exists()


def test_nothing_is_sent_without_a_yes(llmmigrate: Run) -> None:
    with FaultServer() as current, FaultServer() as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "10%")
    assert found.code == 2
    assert "--yes" in found.err
    assert not current.requests
    assert not target.requests


def test_a_refused_key_stops_at_once(llmmigrate: Run) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(then="status:401") as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "90%", "--yes")
    assert found.code == 2
    assert "local/glm-5" in found.err
    assert len(target.requests) == 1
    assert len(current.requests) <= 2


def test_an_unknown_model_is_told_the_names_on_offer(llmmigrate: Run) -> None:
    body = '{"error": {"message": "model glm-5 does not exist", "code": "model_not_found"}}'
    with (
        FaultServer(say=speaker()) as current,
        FaultServer(then=f"error:404 {body}", models=("glm-5-air", "glm-4.7")) as target,
    ):
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "90%", "--yes")
    assert found.code == 2
    assert "glm-5-air" in found.err
    assert len(target.requests) == 1


def test_an_outage_is_no_verdict_on_the_target(llmmigrate: Run) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(*["ok"] * 30, then="disconnect", say=speaker()) as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "90%", "--yes", *LENIENT)
    assert found.code == 3, found.out + found.err
    assert verdict()["reason"] == "infrastructure"


def test_a_cap_of_the_command_line_holds_for_the_next_start_too(llmmigrate: Run, folder: Path) -> None:
    write_log(folder / "logs.jsonl", 400, tokens=(1, 1))  # the answers take more than the log lets expect
    options = ("--max-cost", "0.008", "--max-output-tokens", "500", "--cost-sample", "0", *LENIENT)
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1, seed=1)) as target:
        configure(current, target)
        assert llmmigrate("shadow", "--canary", "90%", "--yes", *options).code == 3
        asked = len(current.requests)
        again = llmmigrate("shadow", "--resume", run_name(), "--yes")
        assert again.code == 3, again.out + again.err
        assert verdict()["reason"] == "budget"
        assert verdict()["spend"]["cap"] == "0.008"
        assert len(current.requests) <= asked + 1, "the old cap leaves no more room than it did"


def test_two_models_of_one_provider_share_its_limits(llmmigrate: Run) -> None:
    with FaultServer(say=speaker()) as server:
        Path("llmmigrate.yaml").write_text(f"""\
version: 1
logs: [logs.jsonl]
from: {{provider: openai, model: o3, api_key_env: OPENAI_API_KEY}}
to: {{provider: openai, model: gpt-4o}}
providers:
  openai: {{base_url: "{server.base_url}", rpm: 600}}
""")
        began = time.monotonic()
        found = llmmigrate("shadow", "--canary", "5%", "--yes", "--cost-sample", "0", "--gate", "agreement=off")
        took = time.monotonic() - began
    assert found.code == 3, found.out + found.err
    assert took >= (len(server.requests) - 1) * 60 / 600


def test_two_models_of_one_provider_share_the_minutes_of_its_limits(llmmigrate: Run) -> None:
    Path("llmmigrate.yaml").write_text("version: 1\nproviders: {openai: {rpm: 10}}\n")
    options = (
        "logs.jsonl",
        "--from",
        "openai/o3",
        "--canary",
        "50%",
        "--dry-run",
        "--format",
        "json",
        "--cost-sample",
        "0",
    )
    same, other = (json.loads(llmmigrate("shadow", "--to", to, *options).out) for to in ("openai/gpt-4o", "zai/glm-5"))
    asked = [same[side]["requests"] for side in ("current", "target")]
    assert same["current"]["minutes"] == same["target"]["minutes"] == sum(asked) / 10
    assert (other["current"]["minutes"], other["target"]["minutes"]) == (asked[0] / 10, None)


def test_the_budget_is_never_overshot_and_the_run_goes_on_later(llmmigrate: Run, folder: Path) -> None:
    write_log(folder / "logs.jsonl", 400, tokens=(1, 1))  # the answers take more than the log lets expect
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1, seed=1)) as target:
        configure(current, target, more="shadow: {max_cost: 0.008 USD}\n")  # too little for any verdict
        options = ("--max-output-tokens", "500", *LENIENT)
        found = llmmigrate("shadow", "--canary", "90%", "--yes", "--cost-sample", "0", *options)
        assert found.code == 3, found.out + found.err
        first = verdict()
        assert first["reason"] == "budget"
        assert float(first["spend"]["total"]) + float(first["spend"]["possibly_billed"]) <= 0.008
        asked = len(current.requests) + len(target.requests)
        again = llmmigrate("shadow", "--resume", run_name(), "--yes", "--max-cost", "25")
    assert again.code == 0, again.out + again.err
    bodies = [json.dumps(item.body, sort_keys=True) for item in target.requests]
    assert len(bodies) == len(set(bodies)), "the target was asked the same twice"
    assert asked < len(current.requests) + len(target.requests)


def test_an_unpriced_target_is_refused_without_a_cap_in_tokens(llmmigrate: Run) -> None:
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1, seed=1)) as target:
        configure(current, target, price="null")
        found = llmmigrate("shadow", "--canary", "50%", "--yes", "--max-output-tokens", "500")
        assert found.code == 2
        assert "--max-tokens-total" in found.err
        assert not target.requests
        capped = llmmigrate(
            "shadow", "--canary", "50%", "--yes", "--max-output-tokens", "100", "--max-tokens-total", "20k",
            "--cost-sample", "0", *LENIENT,
        )  # fmt: skip
    assert capped.code == 3, capped.out + capped.err
    assert verdict()["spend"]["tokens"] <= 20_000


def test_a_changed_plan_is_refused_with_the_difference(llmmigrate: Run) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker()) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "5%", "--yes", "--cost-sample", "0")
        other = llmmigrate("shadow", "--resume", run_name(), "--canary", "10%", "--yes")
        assert other.code == 2
        assert "canary was 0.05 and is now 0.1" in other.err
        Path("logs.jsonl").write_text("".join(Path("logs.jsonl").read_text().splitlines(keepends=True)[:50]))
        changed = llmmigrate("shadow", "--resume", run_name(), "--yes")
    assert changed.code == 2
    assert "the logs no longer give the same requests" in changed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--canary", "10"), "10%"),
        (("--canary", "0%"), "replays nothing"),
        ((), "--canary 10%"),
        (("--canary", "10%", "--gate", "erors=<= +1pt"), "did you mean 'errors'"),
        (("--canary", "10%", "--gate", "errors<=1pt"), "--gate errors='<= +1pt'"),
        (("--canary", "10%", "--store", "plain"), "redacted"),
        (("--canary", "10%", "--resend"), "--resume RUN"),
        (("--canary", "10%", "--yes", "--cost-sample", "0", "--seed", "-3"), "--seed -3 is below zero"),
        (("--canary", "10%", "--max-output-tokens", "0"), "above 0"),
        (("--canary", "10%", "--to", "nobody/glm-5"), "unknown provider"),
        (("--canary", "10%", "--resume", "2026-01-01T00-00Z"), "no such run"),
        (("--canary", "10%", "--max-cost", "many"), "--max-cost"),
        (("--canary", "10%", "--from", "openai/gpt-4.1", "--yes"), "no call of the log went to"),
    ],
)
def test_bad_input_is_told_what_to_write(llmmigrate: Run, arguments: tuple[str, ...], words: str) -> None:
    with FaultServer() as current, FaultServer() as target:
        configure(current, target)
        found = llmmigrate("shadow", *arguments)
    assert found.code == 2
    assert words in found.err
    assert not current.requests
    assert not target.requests


def test_a_missing_key_is_named(llmmigrate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with FaultServer() as current, FaultServer() as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "10%", "--yes")
    assert found.code == 2
    assert "OPENAI_API_KEY" in found.err


def test_a_log_without_texts_says_how_to_get_them(llmmigrate: Run) -> None:
    flat = {"timestamp": 1, "provider": "openai", "model": "o3", "input_tokens": 5, "output_tokens": 5}
    Path("logs.jsonl").write_text("".join(json.dumps({**flat, "request_id": str(n)}) + "\n" for n in range(50)))
    with FaultServer() as current, FaultServer() as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "10%", "--yes")
    assert found.code == 2
    assert "record --keep-text" in found.err
    assert "ingest --keep-text" in found.err


def test_keys_are_nowhere_on_the_disk(llmmigrate: Run, folder: Path) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker()) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "10%", "--yes", "--store", "full")
    assert current.requests[0].headers["authorization"] == "Bearer sk-test-0123456789abcdef"
    assert "authorization" not in target.requests[0].headers
    for path in folder.rglob("*"):
        assert not path.is_file() or b"sk-test-0123456789abcdef" not in path.read_bytes()


@pytest.mark.parametrize(("store", "kept"), [("full", True), ("redacted", False), ("hashes", False)])
def test_texts_are_stored_as_asked(llmmigrate: Run, folder: Path, store: str, kept: bool) -> None:
    def with_address(body: dict[str, Any]) -> tuple[str, ...]:
        return ("Write to ", "jane.doe@example.com ", *speaker()(body))

    with FaultServer(say=with_address) as current, FaultServer(say=with_address) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "10%", "--yes", "--store", store)
    for path in folder.rglob(".llmmigrate/runs/*/*"):
        assert (b"jane.doe@example.com" in path.read_bytes()) <= kept
    journal = next(folder.rglob("journal.jsonl")).read_text()
    assert ("jane.doe@example.com" in journal) is kept


def test_a_run_can_be_judged_anew_without_sending(llmmigrate: Run) -> None:
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1, seed=1)) as target:
        configure(current, target)
        first = llmmigrate("shadow", "--canary", "60%", "--yes", "--cost-sample", "0", *LENIENT)
        before = verdict()
        sent = len(current.requests) + len(target.requests)
        again = llmmigrate("shadow", "--rescore", run_name(), "--format", "json", *LENIENT)
        strict = ("--gate", "latency_p95=off", "--gate", "errors=<= +0.1pt")
        stricter = llmmigrate("shadow", "--rescore", run_name(), "--format", "json", *strict)
        assert len(current.requests) + len(target.requests) == sent
    assert again.code == first.code == 0
    anew = json.loads(again.out)
    assert anew["exploratory"]
    assert anew["gates"] == before["gates"]
    assert verdict() == before
    assert stricter.code == 3
    assert json.loads(stricter.out)["gates"][0]["limit"] == "<= +0.1pt"


def test_failures_of_an_earlier_start_stay_failures(llmmigrate: Run, folder: Path) -> None:
    """They are evidence: a resumed run neither loses nor repeats them."""
    write_log(folder / "logs.jsonl", 200, tokens=(1, 1))
    fault = 'error:400 {"error": {"message": "no"}}'
    with FaultServer(say=speaker()) as current, FaultServer(*["ok"] * 3, *[fault] * 3, say=speaker()) as target:
        configure(current, target, more="shadow: {max_cost: 0.01 USD}\n")
        options = ("--canary", "90%", "--yes", "--cost-sample", "0", "--max-output-tokens", "500")
        gates = ("--gate", "errors=<= +1pt", "--gate", "latency_p95=off", "--gate", "agreement=off")
        first = llmmigrate("shadow", *options, *gates)
        assert verdict()["reason"] == "budget", first.out
        again = llmmigrate("shadow", "--resume", run_name(), "--yes", "--max-cost", "25")
    assert again.code in (1, 3), again.err
    assert [item["first_attempts"] for item in verdict()["failures"]] == [3]


def test_a_run_goes_on_after_an_outage(llmmigrate: Run) -> None:
    say = speaker(noise=0.1)
    with FaultServer(say=say) as current, FaultServer(*["ok"] * 30, then="disconnect", say=say) as target:
        configure(current, target)
        broken = llmmigrate("shadow", "--canary", "95%", "--yes", "--cost-sample", "0", *LENIENT)
        assert verdict()["reason"] == "infrastructure", broken.out
        paid = len(current.requests)
        target.then = "ok"
        again = llmmigrate("shadow", "--resume", run_name(), "--yes")
    assert again.code == 0, again.out + again.err
    bodies = [json.dumps(item.body, sort_keys=True) for item in current.requests]
    assert all(bodies.count(body) <= 2 for body in bodies[:paid]), "the current side was paid again"


def test_a_run_goes_on_with_another_key(llmmigrate: Run) -> None:
    say = speaker(noise=0.1)
    with FaultServer(say=say) as current, FaultServer("status:401", say=say) as target:
        configure(current, target)
        refused = llmmigrate("shadow", "--canary", "95%", "--yes", "--cost-sample", "0", *LENIENT)
        assert refused.code == 2
        assert "key" in refused.err
        again = llmmigrate("shadow", "--resume", run_name(), "--yes")
    assert again.code == 0, again.out + again.err
    assert not verdict()["failures"]


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "anthropic-messages"])
def test_a_target_of_any_dialect_is_asked_in_its_own(llmmigrate: Run, dialect: str) -> None:
    paths = {
        "openai-chat": "/v1/chat/completions",
        "openai-responses": "/v1/responses",
        "anthropic-messages": "/v1/messages",
    }
    say = speaker(noise=0.1)
    with FaultServer(say=say) as current, FaultServer(say=say) as target:
        configure(current, target)
        text = Path("llmmigrate.yaml").read_text()
        Path("llmmigrate.yaml").write_text(text.replace("dialect: openai-chat", f"dialect: {dialect}"))
        found = llmmigrate("shadow", "--canary", "95%", "--yes", "--cost-sample", "0", *LENIENT)
    assert found.code == 0, found.out + found.err
    assert {item.path for item in target.requests} == {paths[dialect]}
    assert verdict()["target"]["output_tokens"] == 7 * verdict()["target"]["answers"]


def test_logged_answers_can_stand_for_the_current_side(llmmigrate: Run) -> None:
    with FaultServer() as current, FaultServer(say=speaker(noise=0.1)) as target:
        configure(current, target)
        gates = ("--gate", "errors=< 5%", "--gate", "latency_p95=off", "--gate", "agreement=off")
        found = llmmigrate("shadow", "--canary", "50%", "--baseline", "logged", "--yes", "--cost-sample", "0", *gates)
        assert found.code == 0, found.out + found.err
        mixed = (*gates[:2], "--cost-sample", "0", "--baseline", "logged")
        compared = llmmigrate("shadow", "--canary", "50%", "--yes", *mixed, "--gate", "ttft_p50=<= 2x")
    assert not current.requests
    assert "not comparable" in compared.out
    assert compared.code == 3


@pytest.mark.parametrize("more", [(), ("--gate", "errors=<= +2pt"), ("--dry-run",)])
def test_gates_that_logged_answers_cannot_decide_are_not_paid_for(llmmigrate: Run, more: tuple[str, ...]) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker()) as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "50%", "--baseline", "logged", "--yes", *more)
    assert found.code == 2
    assert "no gate can be tested with --baseline logged" in found.err
    assert "--gate 'errors=< 5%'" in found.err
    assert not target.requests


def test_whole_sessions_are_drawn_where_they_are_the_unit(llmmigrate: Run, folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "logs.jsonl").read_text().splitlines()]
    for number, line in enumerate(lines):
        line["session_id"] = f"s{number % 8}"
    (folder / "logs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    drawn = [
        json.loads(llmmigrate("shadow", *DRY, "--canary", "40%", "--unit", unit).out)["pairs"]
        for unit in ("session", "request")
    ]
    assert drawn[0] % 50 == 0
    assert drawn[1] % 50 != 0


DRY = ("logs.jsonl", "--from", "openai/o3", "--to", "zai/glm-5", "--dry-run", "--format", "json")


@pytest.mark.parametrize("more", [(), ("--max-tokens-total", "2M")])
def test_a_reply_that_nothing_limits_is_refused(llmmigrate: Run, more: tuple[str, ...]) -> None:
    endless = ("--to", "zai/glm-5.3-flashx", "--canary", "10%", *more)  # the table does not say how long a reply can be
    refused = llmmigrate("shadow", *DRY, *endless)
    assert refused.code == 2
    assert "--max-output-tokens" in refused.err
    limited = llmmigrate("shadow", *DRY, *endless, "--max-output-tokens", "500")
    assert limited.code == 0, limited.err
    target = json.loads(limited.out)["target"]
    # 500 tokens of output at 1.25 USD a million for each request, and something for its prompt
    assert float(target["worst"]) > target["requests"] * 500 * 1.25e-6


def test_a_dry_run_as_csv_has_a_row_a_side(llmmigrate: Run) -> None:
    found = llmmigrate("shadow", *DRY, "--canary", "10%", "--format", "csv")
    header, *rows = found.out.splitlines()
    assert header.startswith("side,")
    assert [row.partition(",")[0] for row in rows] == ["current", "target"]


def test_sessions_can_be_the_unit(llmmigrate: Run, folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "logs.jsonl").read_text().splitlines()]
    for number, line in enumerate(lines):
        line["session_id"] = f"s{number // 4}"
    (folder / "logs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    say = speaker(noise=0.1)
    with FaultServer(say=say) as current, FaultServer(say=say) as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "50%", "--unit", "session", "--yes", "--cost-sample", "0", *LENIENT)
    assert found.code in (0, 3), found.err
    assert verdict()["unit"] == "session"
    assert len({json.dumps(item.body) for item in target.requests}) % 4 == 0 or verdict()["reason"] == "gates_hold"


def test_a_logged_side_has_no_errors_of_its_own(llmmigrate: Run, folder: Path) -> None:
    """Nothing was asked there: neither its answers nor those that the log lacks are successes."""
    lines = [json.loads(line) for line in (folder / "logs.jsonl").read_text().splitlines()]
    for line in lines[::2]:
        del line["response"]["choices"]
    (folder / "logs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with FaultServer() as current, FaultServer(say=speaker(noise=0.1)) as target:
        configure(current, target)
        gates = ("--gate", "errors=< 5%", "--gate", "latency_p95=off", "--gate", "agreement=> 50%")
        found = llmmigrate("shadow", "--canary", "50%", "--baseline", "logged", "--yes", "--cost-sample", "0", *gates)
    assert found.code in (0, 3), found.err
    result = verdict()
    assert result["current"]["requests"] == 0
    assert result["current"]["errors"] is None
    (gate,) = (item for item in result["gates"] if item["key"] == "agreement")
    assert 0 < gate["pairs"] < result["pairs"], "a call without an answer in the log is no evidence of agreement"


def test_an_address_that_has_moved_is_said_at_once(llmmigrate: Run) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(then="redirect:http://127.0.0.1:9/elsewhere") as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "90%", "--yes")
    assert found.code == 2
    assert "moved to http://127.0.0.1:9/elsewhere" in found.err
    assert len(target.requests) == 1


def test_what_no_cap_could_hold_is_not_sent(llmmigrate: Run, folder: Path) -> None:
    """A vendor's own tool may search, and read what it finds, as often as it likes."""
    lines = [json.loads(line) for line in (folder / "logs.jsonl").read_text().splitlines()]
    for line in lines[::2]:
        line["request"]["web_search_options"] = {}
    (folder / "logs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1)) as target:
        configure(current, target)
        options = ("shadow", "--canary", "20%", "--cost-sample", "0")
        preview = json.loads(llmmigrate(*options, "--dry-run", "--format", "json").out)
        found = llmmigrate(*options, "--yes", *LENIENT)
    assert found.code in (0, 3), found.err
    assert 0 < preview["current"]["requests"] < preview["pairs"] + preview["doubled"]
    assert any("web_search" in words and "cap" in words for words in preview["incompatible"])
    assert current.requests
    assert not any("web_search_options" in item.body for item in current.requests)


def test_a_file_may_fill_the_whole_context_window(llmmigrate: Run, folder: Path) -> None:
    """A page of a PDF takes far more tokens than bytes; what is certain is that the window holds no more."""
    lines = [json.loads(line) for line in (folder / "logs.jsonl").read_text().splitlines()]
    for line in lines:
        (turn,) = line["request"]["messages"]
        turn["content"] = [{"type": "text", "text": turn["content"]}, {"type": "file", "file": {"file_id": "f"}}]
        line["request"]["max_completion_tokens"] = 1000
    (folder / "logs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with FaultServer() as current, FaultServer() as target:
        configure(current, target)
        options = ("--from", "openai/o3", "--to", "openai/o3", "--canary", "5%", "--cost-sample", "0", "--dry-run")
        preview = json.loads(llmmigrate("shadow", *options, "--format", "json").out)
    assert float(preview["current"]["largest"]) == (200_000 * 2 + 1000 * 8) / 1_000_000


def test_a_target_that_cannot_be_reached_stops_the_run(llmmigrate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmmigrate.endpoints import client

    quick = client.Retries(attempts=2, base=0.01)
    monkeypatch.setattr(client, "Retries", lambda: quick)
    with FaultServer(say=speaker()) as current, FaultServer() as target:
        configure(current, target)
    with FaultServer(say=speaker(), port=current.port) as current:
        found = llmmigrate("shadow", "--canary", "90%", "--yes", *LENIENT)
    assert found.code == 2
    assert "local/glm-5 cannot be reached" in found.err
    assert len(current.requests) <= 2


def test_lines_that_cannot_be_read_are_said(llmmigrate: Run, folder: Path) -> None:
    with (folder / "logs.jsonl").open("a") as log:
        log.write("nonsense\n{broken\n")
    with FaultServer() as current, FaultServer() as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "10%", "--dry-run")
        strict = llmmigrate("shadow", "--canary", "10%", "--yes", "--strict")
    assert found.code == 0
    assert "2 rejected" in found.err
    assert strict.code == 2
    assert "2 rejected" in strict.err
    assert not current.requests


def test_a_retry_in_the_log_is_the_same_request(llmmigrate: Run, folder: Path) -> None:
    text = (folder / "logs.jsonl").read_text()
    first = json.loads(text.splitlines()[0])
    first["status"], first["timestamp"] = 500, first["timestamp"] - 60
    (folder / "logs.jsonl").write_text(json.dumps(first) + "\n" + text)
    with FaultServer() as current, FaultServer() as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "100%", "--dry-run", "--format", "json")
    preview = json.loads(found.out)
    assert preview["pairs"] == preview["population"] == 400
    assert preview["left_out"] == {"repeated": 1}
