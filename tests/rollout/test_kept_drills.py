"""The drills that docs/rollout.md shows: that they are what their schema says, and hold what is promised."""

import json

import jsonschema
import msgspec
import pytest
from tools.drill_tables import DRILLS, drills
from tools.make_docs import DOCS

from llmmigrate import registry
from llmmigrate.rollout import ROOM
from llmmigrate.rollout.drill.results import Drill
from llmmigrate.rollout.emission import config_hash, gateway_of
from llmmigrate.rollout.plan import load

KEPT = {drill.gateway: drill for drill in drills()}
PLAN = load(DRILLS / "migration.yaml")


def test_every_gateway_that_can_be_drilled_has_a_kept_drill() -> None:
    assert set(KEPT) == {name for name in registry.names(ROOM) if gateway_of(name).PROGRAM is not None}


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_drill_is_what_its_schema_says(name: str) -> None:
    schema = json.loads((DOCS / "schemas" / "llmmigrate.drill.schema.json").read_text())
    jsonschema.validate(msgspec.to_builtins(KEPT[name]), schema)


@pytest.mark.parametrize(
    "name", [name for name in KEPT if name != "nginx"]
)  # its files name this machine's name server
def test_a_kept_drill_is_of_the_configuration_that_is_emitted_now(name: str) -> None:
    assert KEPT[name].config_sha256 == config_hash(PLAN, name)


@pytest.mark.parametrize("name", KEPT)
def test_no_request_is_lost_but_what_is_declared(name: str) -> None:
    assert KEPT[name].passed
    assert not KEPT[name].quick


def lost_streams(drill: Drill) -> float:
    cut = next(fault for fault in drill.faults if fault.fault == "cut")
    return cut.lost / cut.sent


@pytest.mark.parametrize(("name", "limit"), [("envoy", 0.05), ("litellm", 0.10)])
def test_cut_streams_stay_few_where_they_are_counted(name: str, limit: float) -> None:
    assert lost_streams(KEPT[name]) <= limit


@pytest.mark.parametrize("name", [name for name in KEPT if name != "haproxy"])
def test_a_sick_target_is_left_alone_within_five_seconds(name: str) -> None:
    sick = {fault.fault: fault for fault in KEPT[name].faults}
    for fault in ("500", "refused", "hang", "slow"):
        seconds = sick[fault].left_alone_s
        assert seconds is not None
        assert seconds <= 5


@pytest.mark.parametrize("name", KEPT)
def test_the_share_is_what_was_asked(name: str) -> None:
    share = KEPT[name].share
    assert share is not None
    assert share.low <= 0.1 <= share.high


@pytest.mark.parametrize("name", KEPT)
def test_a_flip_takes_less_than_a_second_and_breaks_no_stream(name: str) -> None:
    flip = KEPT[name].flip
    assert flip is not None
    assert (flip.lost, flip.broken) == (0, 0)
    assert flip.last_target_hit_s < 1
    assert flip.streams_on_target > 0
