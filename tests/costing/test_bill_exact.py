"""Pricing a profile equals pricing call by call, to the last digit, over all tables."""

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Context, Decimal, localcontext
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmmigrate.costing.alike import priced_alike
from llmmigrate.costing.analysis import Analyst, GroupKey, Terms, group_key
from llmmigrate.costing.bill import Biller, Purse
from llmmigrate.prices import Band, Entry, Interval, RateCard, Unpriced, load_catalog
from llmmigrate.units import NANOSECONDS, SERVICE_TIERS, TOKEN_CLASSES
from llmmigrate.usage.call import Call
from llmmigrate.usage.cuts import CutMarks, Cuts
from llmmigrate.usage.profile import Profile, ProfileWriter, disjoint_tokens

AS_OF = 1_795_305_600
"""2026-11-22T00:00:00Z."""
CATALOG = load_catalog()
FOUND = CATALOG.marks()
MARKS = CutMarks(instants=FOUND.instants, clocks=FOUND.clocks, prompt=FOUND.prompt, output=FOUND.output)
CUTS = Cuts(MARKS)
HOURLY = Cuts(msgspec.structs.replace(MARKS, unit="hour"))
MODELS = sorted((entry.provider, entry.id) for entry in CATALOG.entries() if not entry.imported)
IMPORTED = sorted((entry.provider, entry.id) for entry in CATALOG.entries() if entry.imported)
CLOCKED = sorted((entry.provider, entry.id) for entry in CATALOG.entries() if any(p.clocks for p in entry.periods))
EDGES = [edge + step for edge in FOUND.instants for step in (-1, 0, 1)]
SIZES = [size + step for size in (0, 1000, *FOUND.prompt) for step in (-1, 0, 1) if size + step >= 0]

Money = dict[str, tuple[Decimal, Decimal]]

instants = (
    st.sampled_from(EDGES)
    | st.integers(1_720_000_000, AS_OF + 40 * 86_400)
    | st.integers(0, 24 * 60).map(lambda minute: 1_768_471_200 // 86_400 * 86_400 + 60 * minute)
    | st.integers(-2, 2).map(lambda step: AS_OF + step)
)
models = st.sampled_from(MODELS) | st.sampled_from(MODELS) | st.sampled_from(IMPORTED)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """A call of any model in any table, near where prices change."""
    provider, model = draw(models)
    size = draw(st.sampled_from(SIZES) | st.integers(0, 3_000_000))
    cached = draw(st.integers(0, size) | st.just(0))
    written = draw(st.integers(0, size - cached) | st.just(0) | st.just(0))
    output = draw(st.integers(0, 40_000))
    second = draw(instants | st.none())
    return Call(
        start_ns=None if second is None else second * NANOSECONDS + draw(st.sampled_from([0, NANOSECONDS - 1])),
        provider=provider,
        model=model,
        service_tier=draw(st.sampled_from(["standard", "standard", *SERVICE_TIERS, "odd"])),
        input_tokens=size,
        cached_input_tokens=cached,
        cache_write_5m_tokens=written,
        cache_write_1h_tokens=draw(st.integers(0, size - cached - written) | st.just(0) | st.just(0)),
        output_tokens=output,
        reasoning_tokens=draw(st.integers(0, output) | st.just(0)),
        searches=draw(st.sampled_from([0, 0, 0, 2])),
    )


@st.composite
def series(draw: st.DrawFn) -> list[Call]:
    """Calls of one model and shape in two days around a change of its prices: several cells, many with equal rates."""
    provider, model = draw(st.sampled_from(CLOCKED) | models)
    edges = [period.start for period in CATALOG.tables[provider].entries[model].periods]
    start = draw(st.sampled_from([(edge - 86_400) * NANOSECONDS for edge in edges]) | st.none())
    call = draw(calls())
    if draw(st.integers(0, 3)):  # most calls of any kind have no price
        call = Call(input_tokens=draw(st.sampled_from(SIZES)), output_tokens=draw(st.integers(0, 9)))
    call = msgspec.structs.replace(call, provider=provider, model=model)
    hours = draw(st.lists(st.integers(0, 48), min_size=1, max_size=8))
    times = [None if start is None else start + 3_600 * hour * NANOSECONDS for hour in hours]
    more = [draw(st.sampled_from([0, 0, 1, 7])) for _ in hours]
    return [
        msgspec.structs.replace(call, start_ns=at, input_tokens=call.input_tokens + extra)
        for at, extra in zip(times, more, strict=True)
    ]


def profile_of(some: list[Call], cuts: Cuts) -> Profile:
    profile = Profile(cuts.marks)
    writer = ProfileWriter(profile, cuts)
    for call in some:
        writer.add(call, first_attempt=True, session_bucket=None)
    return profile


def together(some: list[Call], biller: Biller) -> tuple[Money, Counter[str]]:
    """Sums by currency and unpriced calls by reason, of one profile of all calls."""
    profile = profile_of(some, CUTS)
    sums: Money = {}
    reasons: Counter[str] = Counter()
    with localcontext(Context(prec=60)):
        for key, cell in profile.cells.items():
            bill = biller.bill(key, cell)
            if bill.amount is None or bill.currency is None:
                assert bill.unpriced is not None
                reasons[bill.unpriced.reason] += cell.calls
                continue
            low, high = sums.get(bill.currency, (Decimal(0), Decimal(0)))
            sums[bill.currency] = (low + bill.amount.low, high + bill.amount.high)
    return sums, reasons


def one_by_one(some: list[Call], biller: Biller) -> tuple[Money, Counter[str]]:
    """The same, each call in a profile of its own."""
    sums: Money = {}
    reasons: Counter[str] = Counter()
    with localcontext(Context(prec=60)):
        for call in some:
            cost, why = together([call], biller)
            reasons += why
            for currency, (low, high) in cost.items():
                before = sums.get(currency, (Decimal(0), Decimal(0)))
                sums[currency] = (before[0] + low, before[1] + high)
    return sums, reasons


def by_the_second(some: list[Call]) -> tuple[Money, Counter[str]]:
    """An oracle that knows no cells: the rates of each call's own second and sizes, in plain Decimal."""
    sums: Money = {}
    reasons: Counter[str] = Counter()
    with localcontext(Context(prec=60)):
        for call in some:
            amounts, reason, currency = prices_of(call)
            if reason is not None:
                reasons[reason] += 1
                continue
            before = sums.get(currency, (Decimal(0), Decimal(0)))
            sums[currency] = (before[0] + min(amounts), before[1] + max(amounts))
    return sums, reasons


def prices_of(call: Call) -> tuple[list[Decimal], str | None, str]:
    entry = CATALOG.find(call.provider, call.model)
    assert isinstance(entry, Entry)
    second = None if call.start_ns is None else call.start_ns // NANOSECONDS
    answers = CATALOG.cards(
        entry,
        at=None if second is None else Interval(second, second + 1),
        as_of=AS_OF,
        prompt=Band(call.input_tokens - 1, call.input_tokens),
        output=Band(call.output_tokens - 1, call.output_tokens),
        tier=call.service_tier,
    )
    costs: list[Decimal] = []
    for answer in answers:
        cost = answer if isinstance(answer, Unpriced) else plain_cost(answer, call)
        if isinstance(cost, Unpriced):
            return [], cost.reason, ""
        costs.append(cost)
    (currency,) = {answer.currency for answer in answers if isinstance(answer, RateCard)}
    return costs, None, currency


def plain_cost(card: RateCard, call: Call) -> Decimal | Unpriced:
    cost = Decimal(0)
    rates: dict[Any, Decimal] = dict(card.rates)
    for name, count in zip(TOKEN_CLASSES, disjoint_tokens(call), strict=True):
        if count and name not in rates:
            return Unpriced("class_without_rate", name)
        cost += Decimal(count) * rates.get(name, Decimal(0)) / 1_000_000
    if call.searches and "search" not in card.fees:
        return Unpriced("class_without_rate", "search")
    cost += call.searches * card.fees.get("search", Decimal(0)) + card.fees.get("request", Decimal(0))
    return cost * card.multiplier


@pytest.fixture(scope="module")
def biller() -> Biller:
    return Biller(CATALOG, as_of=AS_OF)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(some=st.lists(calls(), min_size=1, max_size=12))
def test_a_profile_costs_what_its_calls_cost_one_by_one(biller: Biller, some: list[Call]) -> None:
    assert one_by_one(some, biller) == together(some, biller)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(some=st.lists(calls(), min_size=1, max_size=6))
def test_a_profile_costs_what_the_rates_of_each_second_say(biller: Biller, some: list[Call]) -> None:
    assert by_the_second(some) == together(some, biller)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=models, second=instants, size=st.sampled_from(SIZES), many=st.integers(2, 9))
def test_equal_calls_cost_a_multiple_of_one(
    biller: Biller, name: tuple[str, str], second: int, size: int, many: int
) -> None:
    call = Call(provider=name[0], model=name[1], start_ns=second * NANOSECONDS, input_tokens=size, output_tokens=7)
    one, _ = together([call], biller)
    all_of_them, _ = together([call] * many, biller)
    assert {currency: (many * low, many * high) for currency, (low, high) in one.items()} == all_of_them


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    some=st.lists(series(), min_size=1, max_size=3), by=st.sampled_from([("model",), ("day",), ("hour", "provider")])
)
def test_an_analysis_adds_up_what_its_cells_cost_one_by_one(
    biller: Biller, some: list[list[Call]], by: tuple[str, ...]
) -> None:
    profile = profile_of([call for calls in some for call in calls], HOURLY if "hour" in by else CUTS)
    analyst = Analyst(profile, biller, Terms(by=by, now=AS_OF))
    analyst.run()
    groups: dict[GroupKey, Purse] = {}
    days: dict[date, Purse] = {}
    unpriced: Counter[str] = Counter()
    assumed: Counter[str] = Counter()
    for key, cell in profile.cells.items():
        bill = biller.bill(key, cell)
        groups.setdefault(group_key(by, profile)(key, key.start), Purse()).add(bill)
        if key.start is not None and key.start <= AS_OF + 86_400:
            days.setdefault(datetime.fromtimestamp(key.start, UTC).date(), Purse()).add(bill)
        assumed.update(dict.fromkeys(bill.assumptions, cell.calls))
        unpriced.update({bill.unpriced.reason: cell.calls} if bill.unpriced else {})
    assert {key: tally.cost for key, tally in analyst.groups.items()} == groups
    assert analyst.total.days == {day: purse for day, purse in days.items() if purse.amounts}
    assert analyst.assumptions == assumed
    assert Counter({why.reason: sums[0] for why, sums in analyst.unpriced.values()}).keys() == unpriced.keys()
    assert sum(sums[0] for _, sums in analyst.unpriced.values()) == unpriced.total()
    assert analyst.total.calls == profile.total_calls()


def test_calls_of_one_day_and_one_price_are_priced_as_one(biller: Biller) -> None:
    """The cuts of other tables lie between the calls; those of their own model do not."""
    start = 1_768_471_200 // 86_400 * 86_400
    some = [Call(model="gpt-4o", start_ns=(start + 3600 * hour) * NANOSECONDS, input_tokens=9) for hour in range(24)]
    profile = profile_of(some, CUTS)
    assert len(profile.cells) > 1
    assert [len(profile.cells)] == [len(cells) for cells in priced_alike(profile, biller, "day")]


def test_calls_around_a_change_within_a_day_are_priced_apart(biller: Biller) -> None:
    change = 1_739_030_400  # 2025-02-08T16:00:00Z
    periods = CATALOG.tables["deepseek"].entries["deepseek-chat"].periods
    assert change in [period.start for period in periods]
    times = [change - 600, change - 1, change, change + 600]
    some = [Call(model="deepseek-chat", start_ns=at * NANOSECONDS, input_tokens=9) for at in times]
    alike = priced_alike(profile_of(some, CUTS), biller, "day")
    assert [sum(cell.calls for _, cell in cells) for cells in alike] == [2, 2]


def test_calls_with_and_without_a_search_are_priced_apart(biller: Biller) -> None:
    """A table without a fee for searches leaves only the calls unpriced that made some."""
    plain = Call(model="gpt-4o", start_ns=1_768_471_200 * NANOSECONDS, input_tokens=1000, output_tokens=10)
    searching, drawing = (
        Call(model="gpt-4o", start_ns=plain.start_ns, input_tokens=1000, output_tokens=10, searches=n, images=1 - n)
        for n in (1, 0)
    )
    cost, reasons = together([plain, searching, drawing], biller)
    assert ({"USD": (Decimal("0.0026"), Decimal("0.0026"))}, {"class_without_rate": 2}) == (cost, dict(reasons))


def test_free_calls_of_a_free_route_are_priced_apart(biller: Biller) -> None:
    """`:free` costs 0 where the log says so, and is unpriced where it does not."""
    free = Call(model="openrouter/z-ai/glm-5:free", start_ns=AS_OF * NANOSECONDS, input_tokens=1, logged_cost=0)
    silent = Call(model="openrouter/z-ai/glm-5:free", start_ns=AS_OF * NANOSECONDS, input_tokens=1)
    assert one_by_one([free, silent], biller) == together([free, silent], biller)


def test_all_tables_are_asked() -> None:
    assert {"openai", "anthropic", "google", "deepseek", "zai", "zhipuai", "moonshotai", "holysheep"} <= {
        provider for provider, _ in MODELS
    }
