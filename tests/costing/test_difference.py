"""The difference of two profiles is taken apart into causes that add up to it, and each cause gets what it caused."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmmigrate.costing.bill import Biller, Purse
from llmmigrate.costing.difference import Decomposition, apportion, as_decimal, result, take_apart
from llmmigrate.costing.sides import NOTHING, Lot, Pricer, at_instant, at_own_date, at_own_date_as, cost
from llmmigrate.prices import load_catalog
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.call import Billing, Call, UsageState
from llmmigrate.usage.cuts import CutMarks, Cuts
from llmmigrate.usage.profile import Cell, CellKey, Profile, ProfileWriter

NOW = 1_795_305_600
"""2026-11-22T00:00:00Z."""
DAY = 86_400
CATALOG = load_catalog()
FOUND = CATALOG.marks()
MARKS = CutMarks(instants=FOUND.instants, clocks=FOUND.clocks, prompt=FOUND.prompt, output=FOUND.output)
CUTS = Cuts(MARKS)
O3_CUT = 1_749_513_600
"""2025-06-10T00:00:00Z: o3 became five times cheaper within the day before."""
MODELS = [
    ("openai", "o3"), ("openai", "gpt-4.1"), ("openai", "gpt-4o-mini"), ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-pro"), ("deepseek", "deepseek-v4-pro"), ("zhipuai", "glm-5"), ("openai", "unknown-model"),
]  # fmt: skip

BILLINGS: list[Billing] = ["billed", "billed", "billed", "billed", "gateway_hit", "failed", "failed_billed"]
USAGES: list[UsageState] = ["known", "known", "known", "known", "missing"]


def profile(calls: list[Call]) -> Profile:
    made = Profile(MARKS, ("route",))
    writer = ProfileWriter(made, CUTS)
    for call in calls:
        writer.add(call, first_attempt=True, session_bucket=None)
    return made


def call(**fields: Any) -> Call:
    plain: dict[str, Any] = {
        "provider": "openai", "model": "gpt-4.1", "start_ns": (NOW - 5 * DAY) * NANOSECONDS, "input_tokens": 1000,
        "output_tokens": 100, "tags": {"route": "/a"},
    }  # fmt: skip
    return Call(**{**plain, **fields})


def compared(base: list[Call], now: list[Call]) -> Decomposition:
    before, after = profile(base), profile(now)
    pricer = Pricer(CATALOG, currency="USD", exchange_at=NOW)
    biller = Biller(CATALOG, as_of=NOW)
    last = before.last_ns // NANOSECONDS if before.last_ns is not None else NOW
    sides = pricer.side(before, at_own_date(biller)), pricer.side(after, at_own_date(biller), at_instant(biller, last))
    return take_apart(*sides, pricer, lambda tier: at_own_date_as(biller, tier))


@st.composite
def random_calls(draw: st.DrawFn) -> Call:
    provider, model = draw(st.sampled_from(MODELS))
    size = draw(st.sampled_from([0, 5, 1000, 199_999, 200_001, 300_000]) | st.integers(0, 5000))
    cached = draw(st.integers(0, size) | st.just(0))
    output = draw(st.integers(0, 4000))
    billing = draw(st.sampled_from(BILLINGS))
    usage: UsageState = "missing" if billing == "failed" else draw(st.sampled_from(USAGES))
    held = usage == "known"
    return Call(
        provider=provider, model=model, usage=usage, billing=billing,
        start_ns=draw(st.none() | st.integers(NOW - 700 * DAY, NOW + 3 * DAY).map(lambda s: s * NANOSECONDS)),
        service_tier=draw(st.sampled_from(["standard"] * 4 + ["batch", "flex", "odd"])),
        input_tokens=size if held else 0, cached_input_tokens=cached if held else 0,
        cache_write_5m_tokens=draw(st.integers(0, size - cached) | st.just(0)) if held else 0,
        output_tokens=output if held else 0,
        reasoning_tokens=draw(st.integers(0, output) | st.just(0)) if held else 0,
        searches=draw(st.sampled_from([0, 0, 0, 2])) if held else 0,
        tags={"route": draw(st.sampled_from(["/a", "/b"]))},
    )  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(random_calls(), min_size=1, max_size=12), st.lists(random_calls(), min_size=1, max_size=12))
def test_causes_add_up_to_the_whole_to_the_last_digit(base: list[Call], now: list[Call]) -> None:
    before = Pricer(CATALOG, currency="USD", exchange_at=NOW).side(
        profile(base), at_own_date(Biller(CATALOG, as_of=NOW))
    )
    after = Pricer(CATALOG, currency="USD", exchange_at=NOW).side(profile(now), at_own_date(Biller(CATALOG, as_of=NOW)))
    if not before.calls or not after.calls:
        return
    found = compared(base, now)
    assert found.whole == sum(found.parts.values(), Fraction(0)) == after.cost() - before.cost()
    shown = result(found, ["route"], "USD")
    assert Decimal(shown.difference) == sum(Decimal(cause.amount) for cause in shown.causes)
    assert Decimal(shown.difference) == Decimal(shown.cost) - Decimal(shown.base_cost)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(random_calls(), min_size=1, max_size=15))
def test_a_side_costs_what_analyze_says(calls: list[Call]) -> None:
    made, biller = profile(calls), Biller(CATALOG, as_of=NOW)
    side = Pricer(CATALOG, currency="USD", exchange_at=NOW).side(made, at_own_date(biller))
    purse = Purse()
    for key, cell in made.cells.items():
        purse.add(biller.bill(key, cell))
    assert abs(as_decimal(side.cost()) - purse.total(CATALOG, "USD", NOW).middle) <= Decimal("2e-12")
    if set(purse.amounts) <= {"USD"}:
        assert as_decimal(side.cost()) == purse.total(CATALOG, "USD", NOW).middle


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(random_calls(), min_size=1, max_size=15), st.integers(NOW - 600 * DAY, NOW))
def test_calls_priced_together_cost_what_each_costs_at_the_rates_of_then(calls: list[Call], instant: int) -> None:
    biller = Biller(CATALOG, as_of=NOW)
    own, then = at_own_date(biller), at_instant(biller, instant)
    pricer = Pricer(CATALOG, currency="USD", exchange_at=NOW)
    side = pricer.side(profile(calls), own, then)
    alone = Fraction(0)
    for each in calls:
        for key, cell in profile([each]).cells.items():
            if key.billing in ("failed", "gateway_hit") or key.usage == "missing":
                continue
            rates = pricer.rates(own.bill(key, cell), cell)
            before = pricer.rates(then.bill(key, cell), cell) or rates
            if rates is not None and before is not None:
                alone += cost(before, lot_of(key, cell))
    assert sum((part.cost_then() for group in side.parts.values() for part in group.values()), Fraction(0)) == alone


def lot_of(key: CellKey, cell: Cell) -> Lot:
    lot = Lot(NOTHING, NOTHING)
    lot.add(key, cell)
    return lot


TRAFFIC = [
    call(
        model=model,
        tags={"route": route},
        input_tokens=1000 + 37 * i,
        cached_input_tokens=400,
        output_tokens=50 + 11 * i,
    )
    for i in range(20)
    for model, route in (("gpt-4.1", "/a"), ("o3", "/a"), ("gpt-4o-mini", "/b"))
]


def changed(**fields: Any) -> list[Call]:
    """The same traffic with some fields of each call changed."""
    return [Call(**{**{name: getattr(old, name) for name in old.__struct_fields__}, **fields}) for old in TRAFFIC]


def shares(base: list[Call], now: list[Call]) -> dict[str, float]:
    """The part of the difference that each cause has, of those that have any."""
    found = compared(base, now)
    return {name: float(part / found.whole) for name, part in found.by_cause().items() if part}


def test_the_same_traffic_twice_differs_in_nothing() -> None:
    assert compared(TRAFFIC, TRAFFIC).whole == 0
    assert set(compared(TRAFFIC, TRAFFIC).by_cause().values()) == {Fraction(0)}


def test_more_of_the_same_traffic_is_volume() -> None:
    assert shares(TRAFFIC, TRAFFIC * 3) == {"volume": 1.0}


def test_a_new_price_is_price() -> None:
    before = [call(model="o3", start_ns=(O3_CUT - 3 * DAY) * NANOSECONDS) for _ in range(5)]
    after = [call(model="o3", start_ns=(O3_CUT + 3 * DAY) * NANOSECONDS) for _ in range(5)]
    found = compared(before, after)
    assert shares(before, after) == {"price": 1.0}
    assert (found.base.cost(), found.now.cost()) == (Fraction("0.07"), Fraction("0.014"))


def test_other_models_are_the_mix() -> None:
    moved = [old for old in TRAFFIC if old.model == "o3"] * 3 + [old for old in TRAFFIC if old.model != "o3"]
    found = shares(TRAFFIC, moved)
    assert set(found) == {"volume", "model_mix"}
    assert set(shares(TRAFFIC, [old for old in TRAFFIC if old.model == "o3"] * 3)) == {"model_mix"}


def test_a_model_that_is_new_is_the_mix() -> None:
    assert shares(TRAFFIC, changed(model="claude-sonnet-4-5", provider="anthropic")) == {"model_mix": 1.0}


def test_a_lost_cache_is_cache() -> None:
    assert shares(TRAFFIC, changed(cached_input_tokens=0)) == {"cache": 1.0}


def test_calls_that_a_gateway_answered_before_are_cache() -> None:
    hits = changed(billing="gateway_hit")
    assert shares(hits[:30] + TRAFFIC[30:], TRAFFIC)["cache"] > 0.9


@pytest.mark.parametrize(("tier", "sign"), [("batch", -1), ("priority", 1)])
def test_another_service_tier_is_service_tier(tier: str, sign: int) -> None:
    before, after = ([call(model="gpt-5", service_tier=name) for _ in range(5)] for name in ("standard", tier))
    assert shares(before, after) == {"service_tier": 1.0}
    assert compared(before, after).whole * sign > 0


def test_longer_answers_are_output_and_longer_prompts_input() -> None:
    longer = [call(output_tokens=160) for _ in range(4)]
    prompts = [call(input_tokens=1900) for _ in range(4)]
    base = [call() for _ in range(4)]
    assert shares(base, longer) == {"output_tokens": 1.0}
    assert shares(base, prompts) == {"input_tokens": 1.0}
    assert shares(base, [call(output_tokens=160, reasoning_tokens=60) for _ in range(4)]) == {"reasoning_tokens": 1.0}
    assert shares(base, [call(searches=1) for _ in range(4)]) == {"pieces": 1.0}


def test_dearer_hours_of_the_same_price_list_are_conditions() -> None:
    wednesday = 1_795_046_400  # 2026-11-19T00:00Z
    at_peak, off_peak = wednesday + 2 * 3600, wednesday + 20 * 3600
    fields = {"provider": "deepseek", "model": "deepseek-v4-pro"}
    before = [call(start_ns=off_peak * NANOSECONDS, **fields)]
    assert shares(before, [call(start_ns=at_peak * NANOSECONDS, **fields)]) == {"conditions": 1.0}


def test_the_largest_cause_is_named_with_its_route_and_figures() -> None:
    longer = [
        call(tags={"route": "/summarize"}, output_tokens=161) if i % 2 else call(tags={"route": "/chat"})
        for i in range(40)
    ]
    base = [call(tags={"route": "/summarize"}) if i % 2 else call(tags={"route": "/chat"}) for i in range(40)]
    named = result(compared(base, longer), ["route"], "USD").largest
    assert [(cause.cause, cause.key, cause.before, cause.after, cause.share) for cause in named] == [
        ("output_tokens", {"provider": "openai", "model": "gpt-4.1", "tag.route": "/summarize"}, 100.0, 161.0, 1.0)
    ]


@given(st.lists(st.fractions(), min_size=1, max_size=9))
def test_rounded_parts_add_up_to_the_rounded_whole(parts: list[Fraction]) -> None:
    whole = as_decimal(sum(parts, Fraction(0)))
    rounded = apportion(parts, whole)
    assert sum(map(Fraction, rounded)) == Fraction(whole)
    assert all(abs(Fraction(shown) - part) <= Fraction(1, 10**12) for shown, part in zip(rounded, parts, strict=True))
