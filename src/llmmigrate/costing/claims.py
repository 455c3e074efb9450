"""Rules of thumb that published migration playbooks compute with, held against a log.

The playbooks (2026) print figures that a reader may have in mind: a month is the log's total times thirty, a target
costs 15 % of today, the relay saves 86 %. Whether they hold depends on the traffic and on the day's prices, so each is
computed for the log at hand. docs/roi.md lists what else does not hold in them.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from llmmigrate.costing import results
from llmmigrate.costing.roi_results import Claim

RELAY: Final = "holysheep/"
RELAY_SAVES: Final = Decimal("0.86")
TARGET_COSTS: Final = Decimal("0.15")
MARGIN: Final = Decimal("0.05")
"""A claim holds within five percentage points, or five per cent of an amount."""


def claims_about(estimate: results.Estimate, target: results.EstimateTarget) -> list[Claim]:
    """The claims that touch this target, each with what was found."""
    return [*_relay(target), *_flat_share(target), *_thirty(estimate)]


def _relay(target: results.EstimateTarget) -> Iterator[Claim]:
    if target.to.startswith(RELAY):
        share = None
        if target.moved is not None and Decimal(target.moved.current):
            share = 1 - Decimal(target.moved.cost) / Decimal(target.moved.current)
        yield Claim(
            claim="the relay is 86 % cheaper",
            source="relay playbooks P1 and P3 (450.00 to 63.00 USD a month)",
            claimed=f"saves {_percent(RELAY_SAVES)}",
            found=None if share is None else _words(share),
            holds=None if share is None else abs(share - RELAY_SAVES) <= MARGIN,
        )


def _flat_share(target: results.EstimateTarget) -> Iterator[Claim]:
    part = None
    if target.moved is not None and Decimal(target.moved.current):
        part = Decimal(target.moved.cost) / Decimal(target.moved.current)
    yield Claim(
        claim="the target costs a flat 15 % of today",
        source="usage analyser of playbook P2",
        claimed=f"{_percent(TARGET_COSTS)} of today",
        found=None if part is None else f"{_percent(part)} of today",
        holds=None if part is None else abs(part - TARGET_COSTS) <= MARGIN,
    )


def _thirty(estimate: results.Estimate) -> Iterator[Claim]:
    """Their month is the log's total times thirty, whatever its span."""
    cost, month = estimate.current.cost, estimate.current.month.cost
    if cost is None:
        return
    claimed = Decimal(cost) * 30
    found = None if month is None else Decimal(month)
    yield Claim(
        claim="a month is the log's total times thirty",
        source="cost report of playbook P1",
        claimed=f"{claimed:,.2f} {estimate.current.currency}",
        found=None if found is None else f"{found:,.2f} {estimate.current.currency}",
        holds=None if found is None else abs(claimed - found) <= MARGIN * found,
    )


def _words(share: Decimal) -> str:
    return f"saves {_percent(share)}" if share >= 0 else f"costs {_percent(-share)} more"


def _percent(share: Decimal) -> str:
    return f"{share * 100:.1f} %"
