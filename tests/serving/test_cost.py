"""That money and machines are reckoned as the published examples have them, and that bounds are bounds."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.prices.loading import NO_TABLES, bundled_directory
from llmmigrate.prices.self_hosted import FILE_NAME, SelfHosted, read_self_hosted
from llmmigrate.serving.accounts import Compared, cost_record, traffic_record
from llmmigrate.serving.catalogue import find_model, hardware, models
from llmmigrate.serving.cost import Price, Rate, best_known, floor_rate, per_million, price_of, published_rates
from llmmigrate.serving.fit import Choice, Wish, choices
from llmmigrate.serving.pool import named_pool
from llmmigrate.serving.traffic import Demand, Span, a_month, break_even, demand_of, hours, machines_at_peak, use
from llmmigrate.usage.call import Call
from llmmigrate.usage.cuts import CutMarks
from llmmigrate.usage.profile import Profile, add_load

HOURLY = Decimal("20.80")
RATE = Rate(basis="published", label="x", source="y", input_per_second=Decimal(4000), output_per_second=Decimal(500))
APART = Rate(
    basis="measured", label="x", source="y", input_per_second=Decimal(1), output_per_second=Decimal(1),
    alone_input_per_second=Decimal(10_000), alone_output_per_second=Decimal(1_000),
)  # fmt: skip


def table() -> SelfHosted:
    return read_self_hosted(bundled_directory() / FILE_NAME)


def chosen(model: str, on: str) -> Choice:
    name, known = find_model(model)
    return choices(name, known, named_pool(on), Wish())[0]


@pytest.mark.parametrize(
    ("rate", "cost"), [("526.57", "10.9725"), ("1752", "3.29782"), ("17526", "0.329669")], ids=["vllm", "sglang", "all"]
)
def test_a_million_tokens_of_eight_h200_cost_as_published(rate: str, cost: str) -> None:
    assert per_million(HOURLY, Decimal(rate)) == Decimal(cost)


def test_an_unknown_rate_has_no_price() -> None:
    assert per_million(HOURLY, None) is None
    assert per_million(HOURLY, Decimal(0)) is None


def test_the_file_of_prices_speaks_of_known_things_and_is_no_price_table() -> None:
    found = table()
    assert FILE_NAME in NO_TABLES
    assert {*(entry.hardware for entry in found.gpu_hours), *(e.hardware for e in found.throughputs)} <= set(hardware())
    assert {entry.model for entry in found.throughputs} <= set(models())
    assert all(entry.output_per_second or entry.tokens_per_second for entry in found.throughputs)
    dates = [entry.from_ for entry in found.gpu_hours] + [entry.observed for entry in found.throughputs]
    assert all(datetime.fromisoformat(text).replace(tzinfo=UTC) <= datetime(2026, 11, 22, tzinfo=UTC) for text in dates)


def test_a_price_that_is_given_wins_and_one_that_nobody_knows_is_none() -> None:
    choice = chosen("glm-5", "8xH200")
    assert price_of(choice, table(), Decimal(3)) == Price(usd=Decimal(3), source="--gpu-price")
    quoted = price_of(choice, table(), None)
    assert quoted is not None
    assert quoted.usd == Decimal("2.60")
    assert price_of(chosen("glm-5", "8xH20"), table(), None) is None
    assert cost_record(choice, None, [RATE]).rates[0].cost_per_million_output is None


def test_published_rates_are_those_of_the_same_shape_machine_and_precision() -> None:
    labels = [rate.label for rate in published_rates(chosen("glm-5", "8xH200"), table())]
    assert labels == ["glm-5 on sglang", "glm-5.1 on vllm", "glm-5 on sglang"]
    assert published_rates(chosen("glm-5", "16xH200"), table()) == []
    assert {rate.label for rate in published_rates(chosen("glm-5.3", "8xH200"), table())} == {
        "glm-5.2 on sglang", "glm-5.2 on vllm",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "on"), [("glm-5", "8xH200"), ("glm-5.2", "8xH200"), ("glm-5", "8xB200"), ("glm-5.2", "8xb200")]
)
def test_nobody_measured_more_than_the_floor_allows(model: str, on: str) -> None:
    choice = chosen(model, on)
    floor = floor_rate(choice, models()[model])
    assert floor is not None
    assert floor.output_per_second is not None
    rates = [rate.output_per_second for rate in published_rates(choice, table()) if rate.output_per_second is not None]
    assert rates
    assert max(rates) < floor.output_per_second


def test_hardware_without_a_data_sheet_has_no_floor() -> None:
    choice = chosen("glm-5", "8xascend-a2")
    assert choice.fits
    assert floor_rate(choice, models()["glm-5"]) is None


def test_what_was_measured_here_comes_first_and_the_floor_is_nothing_to_reckon_with() -> None:
    floor = Rate(basis="floor", label="f", source="", input_per_second=Decimal(9), output_per_second=Decimal(9))
    other = Rate(
        basis="published", label="o", source="", engine="sglang", concurrency=99, input_per_second=Decimal(9),
        output_per_second=Decimal(9),
    )  # fmt: skip
    same = Rate(
        basis="published",
        label="s",
        source="",
        engine="vllm",
        input_per_second=Decimal(1),
        output_per_second=Decimal(1),
    )
    assert best_known([floor], "vllm") is None
    assert best_known([floor, other, same], "vllm") is same
    assert best_known([floor, other, same, APART], "vllm") is APART


def test_traffic_like_the_measured_one_takes_one_figure() -> None:
    assert hours(4000 * 3600, 500 * 3600, RATE) == Span(Decimal(1), Decimal(1))


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 99))
def test_the_time_of_any_mixture_lies_between_the_bounds(tokens_in: int, tokens_out: int, share: int) -> None:
    """With times that add up (a second of the published mixture is `share` % reading), whatever that share is."""
    span = hours(tokens_in, tokens_out, RATE)
    assert span is not None
    reading, making = Decimal(4000) * 100 / share, Decimal(500) * 100 / (100 - share)
    true = (tokens_in / reading + tokens_out / making) / 3600
    tolerance = true * Decimal("1e-20")
    assert span.low - tolerance <= true <= span.high + tolerance


def test_rates_measured_apart_give_one_figure() -> None:
    assert hours(36_000_000, 3_600_000, APART) == Span(Decimal(2), Decimal(2))


def demand(quarters: list[tuple[int, int]], *, concurrency: float | None = None) -> Demand:
    total_in, total_out = sum(q[0] for q in quarters), sum(q[1] for q in quarters)
    return Demand(len(quarters), total_in, total_out, 900 * len(quarters), quarters, concurrency)


def test_machines_are_counted_for_the_peak_and_not_for_the_mean() -> None:
    full = (4000 * 900, 500 * 900)
    calm = demand([(0, 0)] * 98 + [(full[0] * 3, full[1] * 3)] * 2)
    assert machines_at_peak(calm, RATE) == 3
    assert use(calm, RATE, 3) == Span(Decimal("0.02"), Decimal("0.02"))
    rare = demand([(0, 0)] * 199 + [(full[0] * 3, full[1] * 3)])
    assert machines_at_peak(rare, RATE) == 1


def test_break_even_is_the_use_at_which_both_cost_the_same() -> None:
    busy = demand([(4000 * 900, 500 * 900)] * 4)  # one hour of work
    assert break_even(busy, RATE, Decimal(20), Decimal(40)) == Span(Decimal("0.5"), Decimal("0.5"))
    assert break_even(busy, RATE, Decimal(20), Decimal(10)) == Span(Decimal(2), Decimal(2))
    assert break_even(busy, RATE, Decimal(20), Decimal(0)) is None


def test_less_than_a_day_is_no_month() -> None:
    assert a_month(Decimal(1), demand([(1, 1)] * 95)) is None
    assert a_month(Decimal(2), demand([(1, 1)] * 96)) == Decimal("60.8750")


def test_the_demand_of_a_profile_counts_idle_quarters_and_requests_at_one_time() -> None:
    profile = Profile(CutMarks())
    start = 1_700_000_100 * 10**9
    for _ in range(10):
        add_load(profile.load, start, Call(start_ns=start, input_tokens=100, output_tokens=10, latency_ms=90_000))
    add_load(profile.load, start + 8 * 900 * 10**9, Call(input_tokens=1, output_tokens=1))
    found = demand_of(profile)
    assert found is not None
    assert (found.calls, found.input_tokens, found.output_tokens, found.seconds) == (11, 1001, 101, 9 * 900)
    assert len(found.quarters) == 9
    assert found.concurrency == pytest.approx(1.0)
    assert demand_of(Profile(CutMarks())) is None


def test_a_plan_for_traffic_needs_as_many_machines_as_the_larger_need() -> None:
    choice = chosen("glm-5", "8xH200")
    busy = demand([(4000 * 900, 500 * 900)] * 200, concurrency=10.0)
    compared = Compared(api="zai/glm-5", api_cost=Decimal(100))
    found = traffic_record(choice, busy, Price(usd=Decimal("2.6"), source=""), [RATE], compared, tools=None)
    needed = choice.sequences(4_050_000)
    assert needed == 0
    assert (found.machines_by_rate, found.machines_by_cache, found.machines) == (1, 10, 10)
    assert found.month_cost == "151944"
    assert found.tools is None
    unknown = traffic_record(choice, busy, None, [], Compared(), tools=None)
    assert (unknown.machines, unknown.month_cost, unknown.break_even_use_low) == (None, None, None)
