"""What a drill has proved: which faults, and that some of them are no proof of all."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.rollout.live import Site, emitted
from tools.drill_tables import drills

from llmmigrate.errors import RolloutRefusedError
from llmmigrate.rollout.changing import take_stage
from llmmigrate.rollout.drill.faults import FAULTS, chosen
from llmmigrate.rollout.drill.results import Drill
from llmmigrate.rollout.emission import config_hash
from llmmigrate.rollout.walk import walk

Run = Callable[..., Any]
QUICK = [fault.name for fault in chosen([], quick=True)]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="half")


def drilled(here: Site, names: Sequence[str], *, passed: bool = True, quick: bool = False) -> Drill:
    """The kept drill of Envoy, as if it were of this plan and of these faults."""
    kept = next(drill for drill in drills() if drill.gateway == "envoy")
    faults = [fault for fault in kept.faults if fault.fault in names]
    if not passed:
        faults = [msgspec.structs.replace(faults[0], lost=3), *faults[1:]]
    return msgspec.structs.replace(kept, faults=faults, quick=quick, config_sha256=config_hash(here.plan, "envoy"))


def keep(here: Site, drill: Drill) -> bool:
    return here.place.keep_verified(drill, NOON)


def status(here: Site, run: Run, *more: str) -> str:
    out = run("rollout", "status", str(here.path), *more).out
    assert isinstance(out, str)
    return out


def test_a_proof_keeps_its_faults(here: Site, llmmigrate: Run) -> None:
    assert keep(here, drilled(here, ["500", "hang"]))
    kept = json.loads((here.place.directory / "verified.json").read_text())["envoy"]
    assert (kept["faults"], kept["passed"]) == (["500", "hang"], True)


def test_a_proof_of_some_faults_is_none_of_all(here: Site, llmmigrate: Run) -> None:
    keep(here, drilled(here, ["500", "hang"]))
    with pytest.raises(RolloutRefusedError, match="some faults alone") as refused:
        take_stage(here.plan, here.place, "full")
    assert refused.value.why == "500, hang; not refused, cut, burst"
    with pytest.raises(RolloutRefusedError, match="some faults alone"):
        walk(here.plan, here.place, lambda: pytest.fail("nothing is watched"), print, clock=lambda: NOON)
    assert "drill of 500, hang alone on " in status(here, llmmigrate)
    assert json.loads(status(here, llmmigrate, "--format", "json"))["verified_lacks"] == ["refused", "cut", "burst"]


@pytest.mark.parametrize(("names", "words"), [(QUICK, "quick drill on "), (list(FAULTS), "drill on ")])
def test_a_quick_drill_and_a_whole_one_are_proofs(names: list[str], words: str, here: Site, llmmigrate: Run) -> None:
    keep(here, drilled(here, names, quick=names == QUICK))
    assert take_stage(here.plan, here.place, "full").after == "full"
    assert words in status(here, llmmigrate)
    assert json.loads(status(here, llmmigrate, "--format", "json"))["verified_lacks"] == []


def test_a_proof_that_names_no_faults_is_not_taken(here: Site, llmmigrate: Run) -> None:
    keep(here, drilled(here, list(FAULTS)))
    path = here.place.directory / "verified.json"
    kept = json.loads(path.read_text())
    del kept["envoy"]["faults"]
    path.write_text(json.dumps(kept))
    with pytest.raises(RolloutRefusedError, match="some faults alone") as refused:
        take_stage(here.plan, here.place, "full")
    assert refused.value.why == "which ones was not kept"
    assert "drill of faults that were not kept on " in status(here, llmmigrate)


def test_a_proof_of_some_takes_no_place_of_a_proof_of_all(here: Site) -> None:
    assert keep(here, drilled(here, list(FAULTS)))
    assert not keep(here, drilled(here, ["500"]))
    assert take_stage(here.plan, here.place, "full").after == "full"
    assert keep(here, drilled(here, ["500"], passed=False))
    with pytest.raises(RolloutRefusedError, match="lost requests"):
        take_stage(here.plan, here.place, "full")


@pytest.mark.parametrize(
    ("first", "names", "passed", "said", "next_step"),
    [
        (None, list(FAULTS), True, "wrote {file}\n", True),
        (None, ["500"], True, "wrote {file}: of 500 alone, which is no proof for the whole traffic\n", True),
        (list(FAULTS), ["500"], True, "{file} keeps the drill of more faults: nothing was written\n", True),
        (None, ["500"], False, "wrote {file}: this configuration has not passed\n", False),
    ],
)
def test_the_words_after_a_drill_are_what_was_written(
    first: list[str] | None,
    names: list[str],
    passed: bool,
    said: str,
    next_step: bool,
    here: Site,
    llmmigrate: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if first is not None:
        keep(here, drilled(here, first))
    monkeypatch.setattr("llmmigrate.rollout.drill.run.drill", lambda *_: drilled(here, names, passed=passed))
    done = llmmigrate("rollout", "drill", str(here.path))
    assert done.code == (0 if passed else 1)
    assert said.format(file=here.place.directory / "verified.json") in done.err
    assert ("llmmigrate rollout stage" in done.out) == next_step
