"""What a run says after it was broken off and gone on with is what it would have said in one go."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome
from tests.endpoints.fault_server import FaultServer
from tests.shadow.make_log import record, write_log
from tests.shadow.project import configure, the_run, verdict
from tests.shadow.servers import speaker

from llmmigrate.shadow.journal import Journal

Run = Callable[..., Outcome]
GATES = ("--gate", "latency_p95=off", "--gate", "errors=<= +5pt", "--gate", "agreement=>= -20pt")


@pytest.fixture(autouse=True)
def folder(project: Path) -> Path:
    return write_log(project / "logs.jsonl", 150).parent


def journal_without(kind: str) -> None:
    """Takes the records of a kind out of the journal: they were not written yet when the run was killed."""
    path = the_run() / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if json.loads(line)["type"] != kind))


@pytest.mark.parametrize("store", ["hashes", "redacted", "full"])
def test_what_was_measured_is_not_measured_anew_on_stored_texts(llmmigrate: Run, store: str) -> None:
    def with_address(body: dict[str, Any]) -> tuple[str, ...]:
        return (f"{Counter(str(body))['a']}@example.com ", *speaker(noise=0.1)(body))

    with FaultServer(say=with_address) as current, FaultServer(say=speaker(drop=0.3)) as target:
        configure(current, target)
        first = llmmigrate("shadow", "--canary", "40%", "--yes", "--cost-sample", "0", "--store", store, *GATES)
        before, sent = verdict(), len(current.requests) + len(target.requests)
        again = llmmigrate("shadow", "--resume", the_run().name, "--yes")
        assert len(current.requests) + len(target.requests) == sent
    assert again.code == first.code
    after = verdict()
    for part in ("verdict", "pairs", "gates", "noise", "measures", "cost"):
        assert after[part] == before[part], part


def test_a_run_that_had_decided_sends_nothing_however_fast_the_disk_is(
    llmmigrate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the journal has decides once more, and only then is anything sent."""

    async def intend(journal: Journal, *intents: dict[str, Any]) -> None:
        for intent in intents:
            journal.note(intent)

    monkeypatch.setattr(Journal, "intend", intend)
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker(drop=1)) as target:
        configure(current, target)
        first = llmmigrate("shadow", "--canary", "90%", "--yes", "--cost-sample", "0", *GATES)
        assert first.code == 1, first.out + first.err
        sent = len(current.requests) + len(target.requests)
        again = llmmigrate("shadow", "--resume", the_run().name, "--yes")
        assert len(current.requests) + len(target.requests) == sent
    assert again.code == first.code


def test_answers_that_are_kept_as_hashes_are_not_compared(llmmigrate: Run) -> None:
    """Killed between an answer and its pair, nothing is left that could be measured, and nothing is made up."""
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker(drop=1)) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "40%", "--yes", "--cost-sample", "0", "--store", "hashes", *GATES)
        journal_without("pair")
        journal_without("end")
        again = llmmigrate("shadow", "--resume", the_run().name, "--yes")
    assert again.code in (1, 3), again.err
    (agreement,) = (measure for measure in verdict()["measures"] if measure["name"] == "agreement")
    assert agreement["not_measured"] > 0
    assert "stored" in agreement["why"]
    assert agreement["pairs"] + agreement["not_measured"] == verdict()["pairs"]
    assert not agreement["pairs"] or agreement["target"] < 0.2, "hashes look half alike to a measure of words"
    assert verdict()["current"]["answers"] == verdict()["pairs"], "what does not need the texts is still there"


def test_a_pair_counts_once_when_a_resumed_run_is_judged_anew(llmmigrate: Run) -> None:
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1, seed=1)) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "40%", "--yes", "--cost-sample", "0", *GATES)
        llmmigrate("shadow", "--resume", the_run().name, "--yes")
        strict = ("--gate", "latency_p95=off", "--gate", "errors=<= +0.1pt")
        once = json.loads(llmmigrate("shadow", "--rescore", the_run().name, "--format", "json", *strict).out)
    assert once["pairs"] == verdict()["pairs"]


def as_an_older_version_wrote_it(record: dict[str, Any], results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A pair's record with its answers in full, as it had them before it named their keys."""
    if record["type"] != "pair":
        return record
    named = {name: record[name] for name in ("current", "target", "repeat") if isinstance(record[name], str)}
    assert named, "answers are named by their keys"
    return {**record, **{name: results[key]["arm"] for name, key in named.items()}}


def test_a_journal_of_an_older_version_is_read(llmmigrate: Run) -> None:
    gates = ("--gate", "latency_p95=off", "--gate", "errors=<= +5pt", "--gate", "agreement=off")
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1, seed=1)) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "40%", "--yes", "--cost-sample", "0", *gates)
        strict = ("--gate", "latency_p95=off", "--gate", "errors=<= +0.1pt", "--format", "json")
        rescored = json.loads(llmmigrate("shadow", "--rescore", the_run().name, *strict).out)
        before, sent = verdict(), len(current.requests) + len(target.requests)
        path = the_run() / "journal.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()]
        results = {record["key"]: record for record in records if record["type"] == "result"}
        kept = [
            as_an_older_version_wrote_it(record, results)
            for record in records
            if record["type"] not in ("start", "sent")
        ]
        path.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in kept))
        again = json.loads(llmmigrate("shadow", "--rescore", the_run().name, *strict).out)
        llmmigrate("shadow", "--resume", the_run().name, "--yes")
        assert len(current.requests) + len(target.requests) == sent
    for part in ("verdict", "pairs", "gates", "measures"):
        assert again[part] == rescored[part], part
    for part in ("verdict", "pairs", "gates", "noise", "measures", "cost", "not_sent_again"):
        assert verdict()[part] == before[part], part
    after = [json.loads(line)["type"] for line in path.read_text().splitlines()]
    assert after[len(kept) :] == ["start", "end"], "nothing was measured anew"


def test_a_pair_whose_answer_is_gone_is_damage(llmmigrate: Run) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker()) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "20%", "--yes", "--cost-sample", "0", *GATES)
    journal_without("result")
    found = llmmigrate("shadow", "--rescore", the_run().name)
    assert found.code == 2
    assert "journal.jsonl is damaged" in found.err


def test_failures_before_an_outage_stay_evidence(llmmigrate: Run) -> None:
    say = speaker(noise=0.1)
    # No gate that thirty pairs decide, or that the outage breaks before it is known as one.
    gates = ("--gate", "latency_p95=off", "--gate", "errors=off", "--gate", "agreement=>= -1pt")
    script = [*["ok"] * 4, "html", *["ok"] * 25]
    with FaultServer(say=say) as current, FaultServer(*script, then="disconnect", say=say) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "95%", "--yes", "--cost-sample", "0", *gates)
        assert verdict()["reason"] == "infrastructure", verdict()["words"]
        target.then = "ok"
        llmmigrate("shadow", "--resume", the_run().name, "--yes")
    assert [(item["failure"], item["first_attempts"]) for item in verdict()["failures"]] == [("malformed", 1)]


def test_the_same_request_twice_in_the_cost_sample_is_asked_once(llmmigrate: Run, folder: Path) -> None:
    lines = [record(number % 8) for number in range(80)]
    for number, line in enumerate(lines):
        line["timestamp"] += 100 * number
        del line["response"]["id"]
    (folder / "logs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1)) as target:
        configure(current, target)
        found = llmmigrate("shadow", "--canary", "30%", "--yes", "--cost-sample", "200", "--gate", "errors=<= +50pt")
    assert found.code in (0, 3), found.err
    assert verdict()["cost_sample"] == 200
    times = Counter(json.dumps(item.body, sort_keys=True) for item in target.requests)
    assert len(times) > verdict()["pairs"], "the cost sample has asked for more"
    assert max(times.values()) == 1


def test_another_address_is_another_plan(llmmigrate: Run) -> None:
    say = speaker(noise=0.1)
    with FaultServer(say=say) as current, FaultServer(say=say) as target, FaultServer(say=say) as elsewhere:
        configure(current, target)
        llmmigrate("shadow", "--canary", "10%", "--yes", "--cost-sample", "0", *GATES)
        configure(current, elsewhere)
        moved = llmmigrate("shadow", "--resume", the_run().name, "--yes")
    assert moved.code == 2
    assert elsewhere.base_url in moved.err
    assert not elsewhere.requests


def test_who_was_asked_twice_is_known_when_a_run_goes_on(llmmigrate: Run) -> None:
    """The agreement is decided within the run; from then on nobody is asked twice, which a resumed run knows sooner."""
    gates = ("--gate", "latency_p95=off", "--gate", "errors=<= +0.5pt", "--gate", "agreement=>= -25pt")
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1, seed=1)) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "95%", "--yes", "--cost-sample", "0", *gates)
        before, sent = verdict(), len(current.requests) + len(target.requests)
        pairs = [json.loads(line) for line in (the_run() / "journal.jsonl").read_text().splitlines()]
        twice = [record["repeat"] is not None for record in pairs if record["type"] == "pair"]
        assert set(twice) == {True, False}, "decided within the run"
        llmmigrate("shadow", "--resume", the_run().name, "--yes")
        assert len(current.requests) + len(target.requests) == sent
    after = [json.loads(line)["type"] for line in (the_run() / "journal.jsonl").read_text().splitlines()]
    assert after[len(pairs) :] == ["start", "end"], "nothing was measured anew"
    for part in ("verdict", "pairs", "gates", "noise", "measures"):
        assert verdict()[part] == before[part], part


def test_a_target_that_hung_at_a_kill_does_not_pass_when_the_run_goes_on(llmmigrate: Run) -> None:
    gates = ("--gate", "latency_p95=off", "--gate", "errors=<= +5pt", "--gate", "agreement=off")
    script = [*["ok"] * 9, "html"] * 15
    with FaultServer(say=speaker()) as current, FaultServer(*script, say=speaker()) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "95%", "--yes", "--cost-sample", "0", *gates)
        lines = (the_run() / "journal.jsonl").read_text().splitlines()
        lost = [line for line in lines if json.loads(line).get("arm", {}).get("failure") == "malformed"]
        assert len(lost) > 3
        gone = {"pair", "end"}
        kept = [line for line in lines if line not in lost and json.loads(line)["type"] not in gone]
        (the_run() / "journal.jsonl").write_text("\n".join(kept) + "\n")
        again = llmmigrate("shadow", "--resume", the_run().name, "--yes")
    assert verdict()["not_sent_again"] == len(lost)
    assert (again.code, verdict()["verdict"]) == (3, "INCONCLUSIVE"), verdict()["words"]


def test_what_earlier_starts_paid_for_answers_is_known(llmmigrate: Run, folder: Path) -> None:
    """Also for those that this start did not come to, because the cap is reached: nothing of it is a worst case."""
    write_log(folder / "logs.jsonl", 150, tokens=(1, 1))
    options = ("--max-cost", "0.008", "--max-output-tokens", "500", "--cost-sample", "0", *GATES)
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1, seed=1)) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "90%", "--yes", *options)
        before = verdict()
        again = llmmigrate("shadow", "--resume", the_run().name, "--yes", "--max-cost", "0.008")
    assert (before["reason"], verdict()["reason"]) == ("budget", "budget"), again.err
    records = [json.loads(line) for line in (the_run() / "journal.jsonl").read_text().splitlines()]
    arms = [item["arm"] for item in records if item["type"] == "result"]
    assert not any("failure" in arm for arm in arms)
    paid = sum(Decimal(arm["cost"]) for arm in arms)
    assert Decimal(before["spend"]["total"]) > 0
    assert (Decimal(verdict()["spend"]["total"]), verdict()["spend"]["possibly_billed"]) == (paid, "0")


def test_a_later_start_is_later_whatever_the_clock_says(llmmigrate: Run, folder: Path) -> None:
    """The machine's clock was an hour ahead in the first start: it is known all the same what came after what."""
    write_log(folder / "logs.jsonl", 150, tokens=(1, 1))
    options = ("--max-cost", "0.008", "--max-output-tokens", "500", "--cost-sample", "0", *GATES)
    with FaultServer(say=speaker(noise=0.1)) as current, FaultServer(say=speaker(noise=0.1, seed=1)) as target:
        configure(current, target)
        llmmigrate("shadow", "--canary", "90%", "--yes", *options)
        path = the_run() / "journal.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()]
        for item in records:
            if item["type"] == "result":
                item["arm"]["sent_ns"] += 3600 * 10**9
        path.write_text("".join(json.dumps(item, separators=(",", ":")) + "\n" for item in records))
        llmmigrate("shadow", "--resume", the_run().name, "--yes", "--max-cost", "0.012")
    after = [json.loads(line) for line in path.read_text().splitlines()]
    sent = [item["arm"]["sent_ns"] for item in after if item["type"] == "result"]
    before = sum(item["type"] == "result" for item in records)
    assert 0 < before < len(sent)
    assert max(sent[:before]) < min(sent[before:])


def test_an_option_that_is_typed_is_held_against_the_plan_even_where_it_is_the_default(llmmigrate: Run) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker()) as target:
        configure(current, target)
        chosen = ("--store", "full", "--unit", "session", "--cost-sample", "0", "--gate", "agreement=off")
        llmmigrate("shadow", "--canary", "5%", "--yes", *chosen)
        sent = len(current.requests) + len(target.requests)
        plain = ("--store", "redacted", "--unit", "request", "--cost-sample", "300")
        other = llmmigrate("shadow", "--resume", the_run().name, "--yes", *plain)
        assert len(current.requests) + len(target.requests) == sent
        same = llmmigrate("shadow", "--resume", the_run().name, "--yes", "--baseline", "fresh", *chosen)
    assert other.code == 2, other.out
    assert "store was full and is now redacted" in other.err
    assert "unit was session and is now request" in other.err
    assert "cost draws was 0 and is now 300" in other.err
    assert same.code in (1, 3), same.err
