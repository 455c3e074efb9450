"""genai-prices (MIT): exact decimals, size tiers, service tiers since 2026-10, announced prices; little history.

The wheel holds its data as Python code, which is read as a syntax tree and never run; the repository's `data.json` says
the same. What cannot be said in our classes, and prices by the clock, are left out.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from llmmigrate.prices.tables import ConditionSpec, ModelSpec, PeriodSpec, RowSpec, TableSpec, TierSpec
from llmmigrate.prices.updates import ClockRates, Snapshot
from llmmigrate.prices.updates._tables import exact, table
from llmmigrate.units import CountClass, ServiceTier, TokenClass

PACKAGE: Final = "genai-prices"
MEMBER: Final = "genai_prices/data.py"
URL: Final = "https://github.com/pydantic/genai-prices"
LICENCE: Final = "MIT License, Copyright (c) Pydantic Services Inc. 2025 to present"

PROVIDERS: Final = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "deepseek": "deepseek",
    "zai": "zai",
    "moonshotai": "moonshotai",
    "azure": "azure",
    "aws": "aws-bedrock",
    "mistral": "mistral",
    "groq": "groq",
    "together": "together",
    "fireworks": "fireworks",
    "x-ai": "x-ai",
    "cohere": "cohere",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
}
"""Its providers → ours. Zhipu AI is left out: converted from CNY at a rate of its own, and its cheapest bands only."""
CLASSES: Final[dict[str, TokenClass]] = {
    "input_mtok": "input",
    "input_audio_mtok": "input_audio",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write_5m",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_audio_mtok": "output_audio",
    "output_reasoning_mtok": "reasoning",
}
FEES: Final[dict[str, CountClass]] = {"web_searches_kcount": "search", "requests_kcount": "request"}
NOT_OURS: Final = {"storage_searches_kcount", "cache_audio_read_mtok"}
"""Units that no call in our sense is billed by; a model with any other unknown unit is left out whole."""
TIERS: Final[dict[str, ServiceTier]] = {"batch": "batch", "flex": "flex", "priority": "priority", "fast": "fast"}

Units = Mapping[str, Any]


def parse(data: bytes, *, code: bool) -> Any:
    """The list of providers as plain values. ValueError or SyntaxError for anything else."""
    if not code:
        return json.loads(data, parse_float=Decimal)
    for statement in ast.parse(data).body:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "providers" and statement.value:
            return _value(statement.value)
    raise ValueError("it has no list of providers")


def snapshot(found: Any, version: str, observed: date) -> Snapshot:
    """The providers that are known here, as tables."""
    tables: list[TableSpec] = []
    left_out: dict[str, list[str]] = {}
    by_clock: dict[str, ClockRates] = {}
    for provider in found:
        if provider["id"] in PROVIDERS:
            made, lost = _table(provider, version, observed)
            tables.append(made)
            left_out[made.provider] = lost
            by_clock.update(_by_clock(provider, observed))
    return Snapshot(tables=tables, left_out=left_out, by_clock=by_clock)


def _value(node: ast.expr) -> Any:
    """A literal, or a call of a record's class as its keywords. ValueError for anything that computes."""
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item) for item in node.elts]
    if not isinstance(node, ast.Call):
        return ast.literal_eval(node)
    name = ast.unparse(node.func)
    if name == "Decimal":
        return Decimal(ast.literal_eval(node.args[0]))
    if name == "datetime.date":
        return date(*(ast.literal_eval(part) for part in node.args)).isoformat()
    if name == "datetime.time":
        return ast.unparse(node)  # a model with a clock is left out
    if node.args or not name.isidentifier():
        raise ValueError(f"line {node.lineno} is no record: {name}")
    return {(item.arg or "").rstrip("_"): _value(item.value) for item in node.keywords}


def _table(provider: Any, version: str, observed: date) -> tuple[TableSpec, list[str]]:
    """The provider's table as of `observed`, and the ids that our classes cannot express."""
    name = PROVIDERS[provider["id"]]
    ids = {model["id"] for model in provider["models"]}
    models, left_out = [], []
    for model in provider["models"]:
        spec = None if _is_second_name(name, model["id"], ids) else _model(model, version, observed)
        models += [spec] if spec else []
        left_out += [] if spec else [model["id"]]
    return table(name, models, list(provider.get("pricing_urls") or []), observed), left_out


def _is_second_name(provider: str, name: str, ids: set[str]) -> bool:
    """Whether the id is another one behind its provider's prefix: logs write that prefix before any model."""
    head, _, rest = name.partition("/")
    return head == provider and rest in ids


def _model(model: Any, version: str, observed: date) -> ModelSpec | None:
    if model["id"].endswith(":free"):
        return None  # a free route is only free when the log itself says so
    prices = _prices(model, observed)
    if prices is None:
        return None
    now, later = prices
    starts = [(observed.isoformat(), now, False), *((day, price, True) for day, price in later)]
    source = f"C: {PACKAGE} {version}, observed {observed}"
    periods = [_period(model, start, price, observed, source, announced=ann) for start, price, ann in starts]
    if any(period is None for period in periods):
        return None
    return ModelSpec(
        id=model["id"],
        aliases=[name for name in dict.fromkeys(_names(model["match"])) if name != model["id"]],
        context_window=model.get("context_window"),
        retires=observed.isoformat() if model.get("deprecated") else None,
        periods=[period for period in periods if period],
    )


def _by_clock(provider: Any, observed: date) -> Iterator[tuple[str, ClockRates]]:
    """Models with hours of a day that cost something else: the price at other times is the last one in force."""
    for model in provider["models"]:
        dated: list[tuple[str, Units]] = []
        hours: list[tuple[str, Units]] = []
        for item in model["prices"] if isinstance(model["prices"], list) else ():
            limit = item.get("constraint") or {}
            (hours if "start_time" in limit else dated).append((limit.get("start_date", ""), item["prices"]))
        past = sorted((pair for pair in dated if pair[0] <= observed.isoformat()), key=lambda pair: pair[0])
        if hours and past:
            rates = [_plain_rates(prices) for prices in (past[-1][1], hours[0][1])]
            yield f"{PROVIDERS[provider['id']]}/{model['id']}", ClockRates(*rates)


def _plain_rates(price: Units) -> dict[TokenClass, Decimal]:
    return {CLASSES[name]: exact(_rate(value, 0)) for name, value in price.items() if name in CLASSES}


def _prices(model: Any, observed: date) -> tuple[Units, list[tuple[str, Units]]] | None:
    """The price in force when observed, and the announced ones; None where the clock decides or none is in force."""
    if not isinstance(model["prices"], list):
        return model["prices"], []
    constraints = [item.get("constraint") or {} for item in model["prices"]]
    dated = [
        (limit.get("start_date", ""), item["prices"]) for limit, item in zip(constraints, model["prices"], strict=True)
    ]
    dated.sort(key=lambda item: item[0])
    past = [price for day, price in dated if day <= observed.isoformat()]
    if not past or any(limit.keys() - {"start_date"} for limit in constraints):
        return None
    return past[-1], [item for item in dated if item[0] > observed.isoformat()]


def _period(model: Any, start: str, price: Units, observed: date, source: str, *, announced: bool) -> PeriodSpec | None:
    units = {name: value for name, value in price.items() if value is not None and name not in NOT_OURS}
    rates = {CLASSES[name]: value for name, value in units.items() if name in CLASSES and _is_exact(value)}
    if not rates or units.keys() - CLASSES.keys() - FEES.keys():
        return None
    tiers = dict(_tiers(model, rates, observed))
    thresholds = {tier["start"] for value in rates.values() for tier in _bands(value)}
    return PeriodSpec(
        from_=start,
        per_mtok=_at(rates, 0),
        per_piece={FEES[name]: exact(value) / 1000 for name, value in units.items() if name in FEES},
        tiers={name: TierSpec(per_mtok=_at(value, 0)) for name, value in tiers.items()},
        rows=[
            RowSpec(
                when=ConditionSpec(prompt_above=above),
                per_mtok=_at(rates, above),
                tiers={name: TierSpec(per_mtok=_at(value, above)) for name, value in tiers.items()},
            )
            for above in sorted(thresholds, reverse=True)
        ],
        announced=announced,
        source=source,
    )


def _bands(value: Any) -> list[Any]:
    return list(value["tiers"]) if isinstance(value, dict) else []


def _is_exact(value: Any) -> bool:
    """Whether the rate has at most 6 decimals: some cache writes are rounded twelfths, no vendor's own figure."""
    rates = [value["base"], *(tier["price"] for tier in _bands(value))] if isinstance(value, dict) else [value]
    return all(round(exact(rate), 6) == exact(rate) for rate in rates)


def _tiers(
    model: Any, rates: dict[TokenClass, Any], observed: date
) -> Iterator[tuple[ServiceTier, dict[TokenClass, Any]]]:
    """Service tiers; a class that a variant leaves out keeps its standard rate there."""
    for variant in model.get("price_variants") or []:
        name = TIERS.get(next(iter(variant["when"].values())))
        start = (variant.get("constraint") or {}).get("start_date", "")
        units = {key: value for key, value in variant["prices"].items() if value is not None}
        if name and len(variant["when"]) == 1 and start <= observed.isoformat() and units.keys() <= CLASSES.keys():
            yield name, {**rates, **{CLASSES[key]: value for key, value in units.items()}}


def _at(rates: dict[TokenClass, Any], above: int) -> dict[TokenClass, Decimal]:
    return {name: exact(_rate(value, above)) for name, value in rates.items()}


def _rate(value: Any, above: int) -> Any:
    if not isinstance(value, dict):
        return value
    passed = [
        tier["price"] for tier in sorted(value["tiers"], key=lambda tier: tier["start"]) if tier["start"] <= above
    ]
    return passed[-1] if passed and above else value["base"]


def _names(match: Any) -> Iterator[str]:
    """Match rules as aliases; rules that an exact name or a `*` cannot say are left out."""
    for part in match.get("or", ()):
        yield from _names(part)
    for kind, form in (("equals", "{}"), ("starts_with", "{}*"), ("contains", "*{}*"), ("ends_with", "*{}")):
        if kind in match:
            yield form.format(match[kind])
