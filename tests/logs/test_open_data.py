"""Published traces and a real cost log: their totals, what they cost on another list, and what the log itself says."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.conftest import Outcome

from llmmigrate.costing.bill import Biller, CellBill
from llmmigrate.logs.reader import ReadOptions, read
from llmmigrate.money import from_pico
from llmmigrate.prices import Catalog, load_catalog
from llmmigrate.usage.call import Call
from llmmigrate.usage.cuts import CutMarks, Cuts
from llmmigrate.usage.profile import Profile, ProfileWriter, input_total, output_total

Run = Callable[..., Outcome]

TRACES = ["azure_llm_2023_conv", "mooncake_conversation", "llmperf_llama2", "aider_calls_2024-08_2025-02"]
AIDER = TRACES[3]
AS_OF = "2026-11-22"
AS_OF_SECOND = 1_795_305_600
NANO = Decimal("1e-9")
"""Two costs that differ by less are the same cost: the log holds sums of binary floats."""

STALE_RATES = {
    "claude-3-5-haiku-20241022": ("1", "5"),
    "gemini/gemini-1.5-pro": ("3.5", "10.5"),
    "gemini/gemini-1.5-pro-001": ("3.5", "10.5"),
    "gemini/gemini-1.5-pro-002": ("3.5", "10.5"),
    "gemini/gemini-1.5-pro-latest": ("3.5", "1.05"),
    "gemini/gemini-pro": ("0.35", "1.05"),
}
"""USD per 1M tokens (input, output) that the logger still used after, or never had as, the vendor's list price."""

DIFFERING = {
    ("claude-3-5-haiku-20241022", "stale logged rate"): 41,
    ("claude-3-5-haiku-20241022", "stale logged rate, hidden caching"): 1,
    ("claude-3-5-sonnet-20241022", "hidden caching"): 20,
    ("anthropic/claude-3-7-sonnet-20250219", "hidden caching"): 1,
    ("deepseek/deepseek-chat", "hidden caching"): 12,
    ("deepseek/deepseek-reasoner", "hidden caching"): 2,
    ("gemini/gemini-1.5-pro", "stale logged rate"): 2,
    ("gemini/gemini-1.5-pro-001", "stale logged rate"): 2,
    ("gemini/gemini-1.5-pro-002", "stale logged rate"): 2,
    ("gemini/gemini-1.5-pro-latest", "stale logged rate"): 6,
    ("gemini/gemini-pro", "stale logged rate"): 2,
}
"""Every call of the log whose cost is not the recomputed one, by model and reason."""


@pytest.fixture(scope="session")
def traces(data: Path) -> Path:
    return data / "open" / "simple"


@pytest.fixture(scope="session")
def expected(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((data / "open" / "expected.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def profiles(traces: Path) -> dict[str, Profile]:
    return {name: read([str(traces / f"{name}.jsonl.gz")], ReadOptions()) for name in TRACES}


def sums(profile: Profile) -> dict[str, Counter[str]]:
    by_model: dict[str, Counter[str]] = {}
    for key, cell in profile.cells.items():
        by_model.setdefault(str(key.model), Counter()).update(
            records=cell.calls,
            input_tokens=input_total(cell.tokens),
            output_tokens=output_total(cell.tokens),
            cached_input_tokens=cell.tokens[2],
            records_with_cost=cell.logged_calls,
            logged_cost_pico=cell.logged_cost,
        )
    return by_model


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_has_its_totals_by_model(profiles: dict[str, Profile], expected: dict[str, Any], name: str) -> None:
    found = sums(profiles[name])
    wanted = expected[name]["by_model"]
    assert {str(model) for model in wanted} == set(found)
    for model, row in wanted.items():
        counts = {key: value for key, value in row.items() if key != "logged_cost_usd"}
        assert counts == {key: found[model][key] for key in counts}, model
        assert abs(from_pico(found[model]["logged_cost_pico"]) - Decimal(row["logged_cost_usd"])) < NANO, model


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_loses_no_line(profiles: dict[str, Profile], expected: dict[str, Any], name: str) -> None:
    lines = profiles[name].accounting.lines
    assert (expected[name]["total"]["records"], 0, 0) == (lines.calls, lines.rejected, lines.duplicates)


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_has_its_span(profiles: dict[str, Profile], expected: dict[str, Any], name: str) -> None:
    wanted = [datetime.fromisoformat(expected[name][end]) for end in ("first", "last")]
    found = (profiles[name].first_ns, profiles[name].last_ns)
    assert wanted == [datetime.fromtimestamp((ns or 0) // 1000 / 1_000_000, tz=UTC) for ns in found]


@pytest.mark.parametrize(
    ("name", "target", "as_of", "cost"),
    [
        ("azure_llm_2023_conv", "openai/gpt-4o", AS_OF, "96.791325"),
        ("mooncake_conversation", "openai/gpt-4o", AS_OF, "335.58202375"),
        ("mooncake_conversation", "deepseek/deepseek-chat", "2025-02-20", "32.80890281"),
        ("llmperf_llama2", "openai/gpt-4o", AS_OF, "4.36381"),
    ],
)
def test_a_trace_costs_what_the_list_says(
    llmmigrate: Run, traces: Path, name: str, target: str, as_of: str, cost: str
) -> None:
    path = str(traces / f"{name}.jsonl.gz")
    outcome = llmmigrate("estimate", path, "--to", target, "--as-of", as_of, "--format", "json")
    (found,) = json.loads(outcome.out)["targets"]
    assert (0, cost) == (outcome.code, found["cost"])


class Compared(NamedTuple):
    """One logged call with its recomputed bill."""

    call: Call
    bill: CellBill

    @property
    def surplus(self) -> Decimal:
        """The logged cost above the recomputed one."""
        assert self.call.logged_cost is not None
        assert self.bill.amount is not None
        assert self.bill.amount.low == self.bill.amount.high
        return from_pico(self.call.logged_cost) - self.bill.amount.low


def priced_alone(calls: list[Call], catalog: Catalog, marks: CutMarks) -> Iterator[Compared]:
    """Each call in a profile of its own, priced at its own date."""
    biller, cuts = Biller(catalog, as_of=AS_OF_SECOND), Cuts(marks)
    for call in calls:
        profile = Profile(marks)
        ProfileWriter(profile, cuts).add(call, first_attempt=True, session_bucket=None)
        ((key, cell),) = profile.cells.items()
        yield Compared(call, biller.bill(key, cell))


@pytest.fixture(scope="session")
def aider(traces: Path) -> list[Compared]:
    catalog = load_catalog()
    found = catalog.marks()
    marks = CutMarks(instants=found.instants, clocks=found.clocks, prompt=found.prompt, output=found.output)
    calls: list[Call] = []
    read([str(traces / f"{AIDER}.jsonl.gz")], ReadOptions(marks=marks), on_call=lambda call, _: calls.append(call))
    return list(priced_alone(calls, catalog, marks))


def priced(compared: list[Compared]) -> list[Compared]:
    return [entry for entry in compared if entry.bill.amount is not None]


def test_calls_cost_what_the_log_says_where_the_list_price_held(data: Path, aider: list[Compared]) -> None:
    known = json.loads((data / "open" / "aider_price_in_force.json").read_text(encoding="utf-8"))
    ours = {str(entry.call.model) for entry in priced(aider)} & set(known)
    found = {
        model: {
            "calls": sum(entry.call.model == model for entry in aider),
            "match": sum(entry.call.model == model and abs(entry.surplus) <= NANO for entry in priced(aider)),
        }
        for model in ours
    }
    assert len(ours) >= 7
    assert {model: {key: known[model][key] for key in ("calls", "match")} for model in ours} == found


def test_every_call_of_a_model_in_our_own_tables_is_priced(aider: list[Compared]) -> None:
    ours = {str(entry.call.model) for entry in priced(aider)}
    assert [] == [entry.call for entry in aider if str(entry.call.model) in ours and entry.bill.amount is None]


def test_every_differing_cost_has_a_reason(aider: list[Compared]) -> None:
    reasons = Counter((str(entry.call.model), reason(entry)) for entry in priced(aider) if abs(entry.surplus) > NANO)
    assert DIFFERING == dict(reasons)


def reason(entry: Compared) -> str:
    """Why the logged cost is another one, as far as the figures can prove it."""
    call = entry.call
    if str(call.model) in STALE_RATES:
        into, out = map(Decimal, STALE_RATES[str(call.model)])
        assert call.logged_cost is not None
        surplus = from_pico(call.logged_cost) - (call.input_tokens * into + call.output_tokens * out) / 1_000_000
        if abs(surplus) <= NANO:
            return "stale logged rate"
        return "stale logged rate, hidden caching" if within_a_cache(surplus, call, into) else "unknown"
    into = entry.bill.cards[0].rates["input"]
    if "deepseek" in str(call.model):
        blocks = entry.surplus * 1_000_000 / (into / 10) / 64
        return "hidden caching" if abs(blocks - round(blocks)) < Decimal("1e-6") else "unknown"
    return "hidden caching" if within_a_cache(entry.surplus, call, into) else "unknown"


def within_a_cache(surplus: Decimal, call: Call, into: Decimal) -> bool:
    """Whether reads at a tenth and writes at five quarters of the input rate can make the difference."""
    whole = call.input_tokens * into / 1_000_000
    return -whole * Decimal("0.9") <= surplus <= whole * Decimal("0.25")
