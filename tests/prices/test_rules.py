"""The rules of billing, one behaviour a test."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from tests.prices.conftest import NOW, ask, exactly, second, the_card

from llmmigrate.prices import EVERY_SIZE, Band, Catalog, Entry, Interval, RateCard, Unpriced

Find = Callable[[str], Entry]


def inputs(answers: tuple[object, ...]) -> list[Decimal]:
    return sorted(answer.rates["input"] for answer in answers if isinstance(answer, RateCard))


def reason(answers: tuple[object, ...]) -> str:
    (answer,) = answers
    assert isinstance(answer, Unpriced), answer
    return answer.reason


def test_a_price_change_holds_from_its_very_second(catalog: Catalog, entry: Find) -> None:
    before = the_card(ask(catalog, entry("deepseek/deepseek-chat"), "2025-02-08T15:59:59Z"))
    after = the_card(ask(catalog, entry("deepseek/deepseek-chat"), "2025-02-08T16:00:00Z"))
    assert (Decimal("0.14"), Decimal("0.27")) == (before.rates["input"], after.rates["input"])


def test_an_interval_over_a_price_change_has_both_prices(catalog: Catalog, entry: Find) -> None:
    start = second("2025-06-09T00:00:00Z").start
    answers = catalog.cards(
        entry("openai/o3"),
        at=Interval(start, start + 3 * 86_400),
        as_of=NOW,
        prompt=EVERY_SIZE,
        output=EVERY_SIZE,
        tier="standard",
    )
    assert inputs(answers) == [Decimal(2), Decimal(10)]


def test_a_threshold_looks_at_the_whole_prompt_and_is_strict(catalog: Catalog, entry: Find) -> None:
    at = "2026-11-20T12:00:00Z"
    found = [
        the_card(ask(catalog, entry("google/gemini-2.5-pro"), at, prompt=exactly(n))).rates["input"]
        for n in (200_000, 200_001)
    ]
    assert found == [Decimal("1.25"), Decimal("2.5")]


def test_a_band_over_a_threshold_has_both_prices(catalog: Catalog, entry: Find) -> None:
    answers = ask(catalog, entry("google/gemini-2.5-pro"), "2026-11-20T12:00:00Z", prompt=Band(128_000, 272_000))
    assert inputs(answers) == [Decimal("1.25"), Decimal("2.5")]


@pytest.mark.parametrize(
    ("model", "at", "tokens"),
    [
        ("dashscope-intl/qwen3-max", "2026-11-20T00:00:00Z", 252_001),
        ("dashscope-intl/qwen3-coder-plus", "2026-11-20T00:00:00Z", 1_000_001),
        ("anthropic/claude-sonnet-4-5", "2026-05-01T00:00:00Z", 200_001),  # the 1M beta ended on 2026-04-30
        ("zhipuai/glm-5", "2026-11-20T00:00:00Z", 200_001),
    ],
)
def test_a_prompt_above_the_last_band_has_no_price(
    model: str, at: str, tokens: int, catalog: Catalog, entry: Find
) -> None:
    assert reason(ask(catalog, entry(model), at, prompt=exactly(tokens))) == "above_last_band"


def test_the_long_context_beta_was_billed_while_it_lasted(catalog: Catalog, entry: Find) -> None:
    card = the_card(ask(catalog, entry("claude-sonnet-4"), "2025-09-01T00:00:00Z", prompt=exactly(200_001)))
    assert (card.rates["input"], card.rates["cache_write_1h"]) == (Decimal(6), Decimal(12))


def test_hidden_reasoning_is_billed_as_output(catalog: Catalog, entry: Find) -> None:
    card = the_card(ask(catalog, entry("openai/gpt-5"), "2026-11-20T00:00:00Z"))
    assert card.rates["reasoning"] == card.rates["output"]


def test_a_class_without_a_rate_is_absent_and_not_zero(catalog: Catalog, entry: Find) -> None:
    card = the_card(ask(catalog, entry("openai/gpt-4"), "2024-05-01T00:00:00Z"))
    assert set(card.rates) == {"input", "output", "reasoning"}


def test_a_rate_of_zero_is_free(catalog: Catalog, entry: Find) -> None:
    card = the_card(ask(catalog, entry("zai/glm-4.6"), "2026-11-20T00:00:00Z"))
    assert card.rates["cache_write_5m"] == 0


def test_a_tier_that_nobody_listed_has_no_price(catalog: Catalog, entry: Find) -> None:
    answers = ask(catalog, entry("openai/o3"), "2025-05-01T00:00:00Z", tier="flex")
    assert reason(answers) == "tier_without_rate"


def test_a_tier_without_a_rate_in_a_size_band_has_no_price(catalog: Catalog, entry: Find) -> None:
    answers = ask(catalog, entry("gpt-5.5"), "2026-11-20T00:00:00Z", tier="priority", prompt=exactly(272_001))
    assert reason(answers) == "tier_without_rate"


@pytest.mark.parametrize(
    ("model", "at", "cached"),
    [
        ("openai/o3", "2025-05-01T00:00:00Z", "2.5"),  # kept in batch
        ("openai/gpt-5", "2025-12-01T00:00:00Z", "0.0625"),  # halved
        ("openai/gpt-5.4", "2026-06-01T00:00:00Z", "0.13"),  # halved and rounded up by the vendor
        ("anthropic/claude-sonnet-4-5", "2026-01-01T00:00:00Z", "0.15"),
        ("google/gemini-2.5-flash", "2026-01-01T00:00:00Z", "0.03"),
    ],
)
def test_cached_reads_in_batch_follow_the_rates_observed_later(
    model: str, at: str, cached: str, catalog: Catalog, entry: Find
) -> None:
    card = the_card(ask(catalog, entry(model), at, tier="batch", prompt=exactly(1000)))
    assert card.rates["cache_read"] == Decimal(cached)


def test_cached_reads_in_batch_that_nobody_observed_have_no_rate(catalog: Catalog, entry: Find) -> None:
    card = the_card(ask(catalog, entry("claude-3-haiku"), "2025-01-01T00:00:00Z", tier="batch"))
    assert set(card.rates) == {"input", "cache_write_5m", "cache_write_1h", "output", "reasoning"}


def test_an_unobserved_tier_rate_is_of_grade_c(catalog: Catalog, entry: Find) -> None:
    card = the_card(ask(catalog, entry("openai/o3"), "2025-12-01T00:00:00Z", tier="batch"))
    assert card.source.startswith("C")


def test_a_call_without_timestamp_takes_the_price_as_of_a_day(catalog: Catalog, entry: Find) -> None:
    then = second("2025-05-01T00:00:00Z").start
    card = the_card(ask(catalog, entry("openai/o3"), None, as_of=then))
    assert (card.rates["input"], card.assumptions) == (Decimal(10), ("priced_as_of",))


def test_a_call_without_timestamp_may_be_at_any_time_of_day(catalog: Catalog, entry: Find) -> None:
    answers = ask(catalog, entry("deepseek/deepseek-v4-pro"), None)
    assert inputs(answers) == [Decimal("0.66"), Decimal("1.32")]
    assert all("clock_unknown" in answer.assumptions for answer in answers if isinstance(answer, RateCard))


def test_a_period_that_starts_after_the_day_asked_for_is_not_used(catalog: Catalog, entry: Find) -> None:
    card = the_card(ask(catalog, entry("gemini-4-argon"), "2026-12-05T00:00:00Z"))
    assert (card.rates["input"], card.assumptions) == (Decimal(2), ("after_last_period",))


def test_a_period_that_has_started_since_is_used_as_announced(catalog: Catalog, entry: Find) -> None:
    later = second("2026-12-10T00:00:00Z").start
    card = the_card(ask(catalog, entry("gemini-4-argon"), "2026-12-05T00:00:00Z", as_of=later))
    assert (card.rates["input"], card.assumptions) == (Decimal(4), ("announced",))


@pytest.mark.parametrize(
    ("model", "at"),
    [
        ("openai/o3", "2025-04-15T23:59:59Z"),
        ("deepseek/deepseek-chat", "2026-07-24T00:00:00Z"),
        ("azure/o3-2025-04-16", "2026-01-01T00:00:00Z"),
    ],
)
def test_a_call_outside_all_periods_has_no_price(model: str, at: str, catalog: Catalog, entry: Find) -> None:
    assert reason(ask(catalog, entry(model), at)) == "no_price_at_date"


def test_an_imported_price_can_be_asked_for_as_of_today(catalog: Catalog, entry: Find) -> None:
    card = the_card(ask(catalog, entry("azure/o3-2025-04-16"), None))
    assert card.assumptions == ("priced_as_of",)


def test_a_rate_that_the_source_leaves_open_has_bounds(catalog: Catalog, entry: Find) -> None:
    answers = ask(catalog, entry("qwen-plus"), "2026-01-01T00:00:00Z")
    cards = [answer for answer in answers if isinstance(answer, RateCard)]
    assert sorted(card.rates["output"] for card in cards) == [Decimal("1.2"), Decimal(4)]
    assert {card.assumptions for card in cards} == {("thinking_rate_unknown",)}


def test_a_forward_price_is_the_one_of_the_day_asked_for(catalog: Catalog, entry: Find) -> None:
    answers = catalog.forward_cards(
        entry("openai/o3"),
        at=second("2025-05-01T00:00:00Z"),
        as_of=NOW,
        prompt=EVERY_SIZE,
        output=EVERY_SIZE,
        tier="standard",
    )
    assert (the_card(answers).rates["input"], the_card(answers).assumptions) == (Decimal(2), ())


@pytest.mark.parametrize(("at", "rate"), [("2025-05-14T02:00:00Z", "1.32"), ("2025-05-17T02:00:00Z", "0.66")])
def test_a_forward_price_reads_the_clock_at_the_calls_own_time(
    at: str, rate: str, catalog: Catalog, entry: Find
) -> None:
    answers = catalog.forward_cards(
        entry("deepseek/deepseek-v4-pro"),
        at=second(at),
        as_of=NOW,
        prompt=EVERY_SIZE,
        output=EVERY_SIZE,
        tier="standard",
    )
    assert the_card(answers).rates["input"] == Decimal(rate)


def test_only_models_with_a_clock_have_clock_conditions(catalog: Catalog, entry: Find) -> None:
    found = [len(catalog.clock_conditions(entry(name), NOW)) for name in ("openai/o3", "deepseek/deepseek-v4-pro")]
    assert found == [0, 1]


def test_the_relay_costs_more_than_the_maker_since_its_price_cut(catalog: Catalog, entry: Find) -> None:
    def at(day: str, model: str) -> tuple[Decimal, Decimal]:
        card = the_card(ask(catalog, entry(model), day))
        return card.rates["input"], card.rates["output"]

    assert at("2026-11-20T00:00:00Z", "holysheep/o3") == (Decimal("2.10"), Decimal("8.40"))
    assert at("2026-11-20T00:00:00Z", "openai/o3") == (Decimal(2), Decimal(8))
    assert at("2025-05-01T00:00:00Z", "openai/o3") == (Decimal(10), Decimal(40))


def test_retired_models_are_no_candidates(catalog: Catalog, entry: Find) -> None:
    current = set(catalog.current_models(NOW))
    assert [entry(name) in current for name in ("openai/o3", "openai/o3-mini", "claude-3-opus", "deepseek-chat")] == [
        True,
        False,
        False,
        False,
    ]


def test_every_current_model_of_our_own_has_a_tier_and_a_context_window(catalog: Catalog) -> None:
    current = [item for item in catalog.current_models(NOW) if not item.imported]
    unknown = [f"{i.provider}/{i.id}" for i in current if not i.capability_tier or not i.context_window]
    assert unknown == ["zai/glm-5.3-flashx", "holysheep/o4"]
