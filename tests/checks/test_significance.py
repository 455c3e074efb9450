"""The tests behind the rules, against scipy, statsmodels and the calls themselves."""

import random

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats
from statsmodels.stats.multitest import multipletests

from llmmigrate.checks import measures
from llmmigrate.checks.significance import Estimate, compare, holm
from llmmigrate.costing.bill import Biller
from llmmigrate.costing.sides import Pricer, Side, at_own_date
from llmmigrate.prices import load_catalog
from llmmigrate.usage.call import Call
from llmmigrate.usage.cuts import CutMarks, Cuts
from llmmigrate.usage.profile import Profile, ProfileWriter

NOW = 1_795_348_800


def estimate(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Estimate:
    return Estimate(float(values.mean()), float(values.var(ddof=1)) / len(values), len(values) - 1.0, len(values))


@pytest.mark.parametrize(("sizes", "spread"), [((50, 50), 3.0), ((30, 400), 0.5), ((400, 30), 2.0)])
def test_the_p_value_is_that_of_the_wider_of_two_t_tests(sizes: tuple[int, int], spread: float) -> None:
    draw = np.random.default_rng(1)
    base, now = draw.normal(10, 1, sizes[0]), draw.normal(10.3, spread, sizes[1])
    found = compare(estimate(base), estimate(now), sign=1, tests=1)
    assert found is not None
    expected = [stats.ttest_ind(now, base, equal_var=equal, alternative="greater") for equal in (False, True)]
    errors = [(now.mean() - base.mean()) / test.statistic for test in expected]
    wider = expected[int(abs(errors[1]) > abs(errors[0]) * (1 + 1e-9))]
    assert found.p_value == pytest.approx(wider.pvalue, abs=1e-9)
    assert found.low == pytest.approx(wider.confidence_interval(0.95).low, abs=1e-6)


def test_a_fall_is_judged_as_a_rise_of_the_opposite() -> None:
    base, now = Estimate(0.5, 1e-4, 99.0, 100), Estimate(0.4, 1e-4, 99.0, 100)
    falls, rises = compare(base, now, sign=-1, tests=1), compare(now, base, sign=1, tests=1)
    assert falls == rises


def test_without_variance_any_rise_is_certain() -> None:
    base, now = Estimate(10.0, 0.0, 9.0, 10), Estimate(10.1, 0.0, 9.0, 10)
    rise, fall = compare(base, now, sign=1, tests=1), compare(now, base, sign=1, tests=1)
    assert (rise and rise.p_value, fall and fall.p_value) == (0.0, 1.0)
    assert compare(base, Estimate(1.0, None, 0.0, 1), sign=1, tests=1) is None


def test_holm_is_that_of_statsmodels() -> None:
    draw = random.Random(4)
    for size in range(1, 12):
        p_values = [draw.random() ** 3 for _ in range(size)]
        assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert holm([]) == []


def made(calls: list[Call], sessions: list[int] | None = None) -> tuple[Side, Profile]:
    catalog = load_catalog()
    found = catalog.marks()
    marks = CutMarks(instants=found.instants, clocks=found.clocks, prompt=found.prompt, output=found.output)
    profile = Profile(marks)
    writer = ProfileWriter(profile, Cuts(marks))
    for i, call in enumerate(calls):
        writer.add(call, first_attempt=True, session_bucket=None if sessions is None else sessions[i])
    pricer = Pricer(catalog, currency="USD", exchange_at=NOW)
    return pricer.side(profile, at_own_date(Biller(catalog, as_of=NOW))), profile


def drawn(count: int) -> list[Call]:
    draw = random.Random(9)
    return [
        Call(
            provider="openai", model=draw.choice(["o3", "gpt-4.1"]), start_ns=(NOW - 86_400) * 10**9,
            input_tokens=(size := int(draw.lognormvariate(6, 1)) + 5), cached_input_tokens=draw.randrange(size),
            output_tokens=(out := int(draw.lognormvariate(5, 1)) + 2), reasoning_tokens=draw.randrange(out),
        )
        for _ in range(count)
    ]  # fmt: skip


RATES = (2.0, 0.5, 8.0)
"""USD per 1M tokens of both models: fresh and cached input, output."""


def test_the_variance_from_moments_is_that_of_the_calls() -> None:
    calls = drawn(300)
    side, profile = made(calls)
    fresh, cached, output = RATES
    values = np.array([
        (fresh * (c.input_tokens - c.cached_input_tokens) + cached * c.cached_input_tokens + output * c.output_tokens)
        / 1000
        for c in calls
    ])  # fmt: skip
    found = measures.ratio("cost_per_1000_calls", measures.Sampled(side, profile), {})
    assert found is not None
    assert found.value == pytest.approx(values.mean())
    assert found.variance == pytest.approx(values.var(ddof=1) / 300)


def test_the_variance_holds_the_fees_of_searches() -> None:
    """A call that searches costs 0.03 USD more: that calls differ in it must not be lost."""
    plain = [Call(provider="anthropic", model="claude-sonnet-4-5", start_ns=(NOW - 86_400) * 10**9,
                  input_tokens=size, output_tokens=10) for size in range(1_000, 1_200)]  # fmt: skip
    calls = [replace(call, searches=3) if i % 4 == 0 else call for i, call in enumerate(plain)]
    values = np.array([(3 * c.input_tokens + 15 * c.output_tokens) / 1000 + 10 * c.searches for c in calls])
    found = measures.ratio("cost_per_1000_calls", measures.Sampled(*made(calls)), {})
    assert found is not None
    assert (found.value, found.variance) == pytest.approx((values.mean(), values.var(ddof=1) / 200))


def test_the_variance_of_a_share_is_that_of_a_ratio() -> None:
    calls = drawn(300)
    side, profile = made(calls)
    cached, whole = (np.array([getattr(c, name) for c in calls]) for name in ("cached_input_tokens", "input_tokens"))
    share = cached.sum() / whole.sum()
    found = measures.ratio("cache_hit_share", measures.Sampled(side, profile), {})
    assert found is not None
    assert found.value == pytest.approx(share)
    assert found.variance == pytest.approx(((cached - share * whole) ** 2).sum() / whole.sum() ** 2 * 300 / 299)


def test_calls_of_one_session_count_together() -> None:
    calls = drawn(640)
    sessions = [i // 10 for i in range(640)]
    side, profile = made(calls, sessions)
    outputs = np.array([c.output_tokens for c in calls], dtype=float)
    residuals = (outputs - outputs.mean()).reshape(64, 10).sum(axis=1)
    found = measures.ratio("output_tokens_per_call", measures.Sampled(side, profile), {})
    assert found is not None
    assert found.variance == pytest.approx((residuals**2).sum() * 64 / 63 / 640**2, rel=0.01)
    assert found.freedom == pytest.approx(63, rel=0.02)


def test_sums_over_many_requests_tell_no_variance() -> None:
    side, profile = made([Call(model="o3", usage="aggregate", requests=50, input_tokens=9000, output_tokens=900)])
    found = measures.ratio("output_tokens_per_call", measures.Sampled(side, profile), {})
    assert found is not None
    assert (found.value, found.variance) == (18.0, None)
