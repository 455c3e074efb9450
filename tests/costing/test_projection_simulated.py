"""How often the projected interval holds the truth, and how often a trend is seen, on simulated traffic.

The traffic has busier working days, a log-normal noise whose logarithm is an AR(1) process, and begins on any weekday.
Seeds are fixed, so the shares below are exact repeats; docs/projection.md has the same on more and longer series.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

import numpy as np
import pytest

from llmmigrate.costing.projection import DayCost, Projection, project

REPLICATES = 500
NOISE = 0.02
"""Two standard errors of a share near 0.95 of that many replicates."""
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = np.array([1.1, 1.15, 1.1, 1.0, 0.9, 0.4, 0.35])
MONTH_DAYS = 31
ONE_PERCENT_A_DAY = math.log(1.01)
MONTHLY_GROWTH = Decimal(1.01 ** (365.25 / 12) - 1).quantize(Decimal("0.0001"))


@dataclass(frozen=True)
class Traffic:
    """How the days of a simulated log hang together."""

    correlation: float
    noise: float = 0.2
    log_growth: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """A projection and what the month after the log really cost."""

    projection: Projection
    truth: float

    @property
    def held(self) -> bool:
        low, high = self.projection.month.low, self.projection.month.high
        return low is not None and high is not None and low <= self.truth <= high


@cache
def simulate(traffic: Traffic, days: int, growth: Decimal | None = None) -> list[Outcome]:
    rng = np.random.default_rng(days)
    series = np.vstack(list(draw_costs(rng, traffic, days + MONTH_DAYS)))
    return [look_ahead(row, weekday % 7, days, growth) for weekday, row in enumerate(series)]


def draw_costs(rng: np.random.Generator, traffic: Traffic, days: int) -> Iterator[np.ndarray]:
    shocks = rng.standard_normal((REPLICATES, days))
    level = shocks[:, 0]
    trend = traffic.log_growth * np.arange(days)
    logs = np.empty_like(shocks)
    for day in range(days):
        if day:
            level = traffic.correlation * level + math.sqrt(1 - traffic.correlation**2) * shocks[:, day]
        logs[:, day] = traffic.noise * level + trend[day]
    weekdays = np.arange(days)
    for replicate in range(REPLICATES):
        yield 100 * WEEK[(weekdays + replicate) % 7] * np.exp(logs[replicate])


def look_ahead(costs: np.ndarray, weekday: int, days: int, growth: Decimal | None) -> Outcome:
    first = MONDAY + timedelta(days=weekday)
    listed = [DayCost((first + timedelta(days=day)).date(), Decimal(float(costs[day]))) for day in range(days)]
    last = first + timedelta(days=days, seconds=-1)
    truth = float(costs[days : days + 30].sum() + 0.4375 * costs[days + 30])
    return Outcome(project(listed, first=first, last=last, growth=growth), truth)


def cover(outcomes: list[Outcome]) -> float:
    given = [outcome for outcome in outcomes if outcome.projection.month.low is not None]
    return sum(outcome.held for outcome in given) / len(given)


def refused(outcomes: list[Outcome]) -> float:
    return sum(outcome.projection.refused is not None for outcome in outcomes) / len(outcomes)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("days", [14, 20, 27])
def test_cover_from_two_weeks(days: int, correlation: float) -> None:
    assert 0.85 <= cover(simulate(Traffic(correlation), days)) <= 0.97 + NOISE


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("days", [28, 42, 84])
def test_cover_from_four_weeks(days: int, correlation: float) -> None:
    assert 0.89 <= cover(simulate(Traffic(correlation), days)) <= 0.95 + NOISE


@pytest.mark.parametrize("days", [14, 28, 56])
def test_false_alarms_of_the_trend_test(days: int) -> None:
    assert refused(simulate(Traffic(0.0), days)) <= 0.07
    assert refused(simulate(Traffic(0.3), days)) <= 0.11


def test_a_percent_a_day_is_seen_in_four_weeks_of_even_traffic() -> None:
    assert refused(simulate(Traffic(0.0, noise=0.1, log_growth=ONE_PERCENT_A_DAY), 28)) >= 0.9


def test_a_percent_a_day_is_seen_in_eight_weeks_of_uneven_traffic() -> None:
    assert refused(simulate(Traffic(0.3, noise=0.2, log_growth=ONE_PERCENT_A_DAY), 56)) >= 0.95


def test_an_unseen_trend_breaks_the_interval() -> None:
    """Why the trend test exists: without it most of these intervals would have been given, and missed."""
    outcomes = simulate(Traffic(0.0, noise=0.1, log_growth=ONE_PERCENT_A_DAY), 21)
    assert 0.3 <= refused(outcomes) <= 0.9
    assert cover(outcomes) <= 0.2


@pytest.mark.parametrize("days", [21, 42])
def test_the_stated_growth_restores_the_cover(days: int) -> None:
    growing = Traffic(0.3, log_growth=ONE_PERCENT_A_DAY)
    assert 0.88 <= cover(simulate(growing, days, MONTHLY_GROWTH)) <= 0.97
