"""Write `pricing/imported/*.yaml` from the installed genai-prices package: one dated snapshot, no history.

    python tools/import_genai_prices.py [--observed 2026-11-09] [--directory pricing/imported]

Every price is in force from the day of observation on; what cannot be said in our classes is left out and listed.
The files are JSON (which is YAML) below their comment lines, because JSON is read far faster.
"""

import argparse
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import msgspec
from genai_prices.data import providers

from llmmigrate.prices.tables import (
    ApiSpec,
    ConditionSpec,
    ModelSpec,
    PeriodSpec,
    RowSpec,
    TableSpec,
    TierSpec,
)
from llmmigrate.units import CountClass, ServiceTier, TokenClass

CLASSES: dict[str, TokenClass] = {
    "input_mtok": "input",
    "input_audio_mtok": "input_audio",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write_5m",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_audio_mtok": "output_audio",
    "output_reasoning_mtok": "reasoning",
}
FEES: dict[str, CountClass] = {"web_searches_kcount": "search", "requests_kcount": "request"}
NOT_OURS = {"storage_searches_kcount", "cache_audio_read_mtok"}
"""Units that no call in our sense is billed by; a model with any other unknown unit is left out whole."""
TIERS: dict[str, ServiceTier] = {"batch": "batch", "flex": "flex", "priority": "priority", "fast": "fast"}


class Target(msgspec.Struct):
    """What genai-prices does not say about a provider."""

    provider: str
    prefixes: list[str]
    bare_names: bool = False
    api: ApiSpec | None = None


def _openai(base_url: str, key: str) -> ApiSpec:
    return ApiSpec(base_url, "openai-chat", key)


TARGETS = {
    "azure": Target("azure", ["azure", "azure_ai", "azure_openai", "azure-openai", "az.ai.openai"]),
    "aws": Target("aws-bedrock", ["bedrock", "bedrock_converse", "converse", "aws", "aws.bedrock", "amazon-bedrock"]),
    "mistral": Target(
        "mistral",
        ["mistral", "mistralai", "mistral_ai"],
        bare_names=True,
        api=_openai("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    ),
    "groq": Target("groq", ["groq"], api=_openai("https://api.groq.com/openai/v1", "GROQ_API_KEY")),
    "together": Target(
        "together",
        ["together", "together_ai", "togetherai"],
        api=_openai("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    ),
    "fireworks": Target(
        "fireworks",
        ["fireworks", "fireworks_ai", "fireworks-ai", "accounts"],
        api=_openai("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    ),
    "x-ai": Target("x-ai", ["x-ai", "xai", "x_ai"], bare_names=True, api=_openai("https://api.x.ai/v1", "XAI_API_KEY")),
    "cohere": Target(
        "cohere",
        ["cohere", "cohere_chat"],
        bare_names=True,
        api=_openai("https://api.cohere.ai/compatibility/v1", "CO_API_KEY"),
    ),
    "openrouter": Target(
        "openrouter", ["openrouter"], api=_openai("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY")
    ),
    "perplexity": Target(
        "perplexity",
        ["perplexity", "perplexity-ai"],
        bare_names=True,
        api=_openai("https://api.perplexity.ai", "PERPLEXITY_API_KEY"),
    ),
}


def main() -> None:
    """Write one file a provider and say what was left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--observed", type=date.fromisoformat, default=newest_change())
    parser.add_argument("--directory", type=Path, default=Path("pricing/imported"))
    options = parser.parse_args()
    for provider in providers:
        if provider.id in TARGETS:
            table, left_out = table_from(provider, options.observed)
            path = options.directory / f"{table.provider}.yaml"
            path.write_text(as_text(table, options.observed), encoding="utf-8")
            print(f"{path}: {len(table.models)} models; left out: {', '.join(left_out) or 'none'}")


def newest_change() -> date:
    """The newest day in the past on which the snapshot itself changes a price: it was taken then or later."""
    days = (
        getattr(price.constraint, "start_date", date.min)
        for provider in providers
        for model in provider.models
        for price in (model.prices if isinstance(model.prices, list) else [])
    )
    return max(day for day in days if day <= date.today())


def table_from(provider: Any, observed: date) -> tuple[TableSpec, list[str]]:
    """The provider's table as of `observed`, and the ids that our classes cannot express."""
    target = TARGETS[provider.id]
    models, left_out = [], []
    ids = {model.id for model in provider.models}
    for model in provider.models:
        spec = None if _is_second_name(target.provider, model.id, ids) else _model(model, observed)
        if spec:
            models.append(spec)
        else:
            left_out.append(model.id)
    table = TableSpec(
        schema=1,
        provider=target.provider,
        name=provider.name,
        bare_names=target.bare_names,
        currency="USD",
        checked=observed.isoformat(),
        api=target.api,
        prefixes=target.prefixes,
        pricing_urls=list(provider.pricing_urls or []),
        models=models,
    )
    return table, left_out


def _is_second_name(provider: str, name: str, ids: set[str]) -> bool:
    """Whether the id is another one behind its provider's prefix: logs write that prefix before any model."""
    head, _, rest = name.partition("/")
    return head == provider and rest in ids


def _model(model: Any, observed: date) -> ModelSpec | None:
    if model.id.endswith(":free"):
        return None  # a free route is only free when the log itself says so
    now, later = _prices(model, observed)
    starts = [(observed.isoformat(), now, False), *((day.isoformat(), price, True) for day, price in later)]
    periods = [_period(model, start, price, observed, announced=ann) for start, price, ann in starts]
    if any(period is None for period in periods):
        return None
    return ModelSpec(
        id=model.id,
        aliases=[name for name in dict.fromkeys(_names(model.match)) if name != model.id],
        context_window=model.context_window,
        retires=observed.isoformat() if model.deprecated else None,
        periods=[period for period in periods if period],
    )


def _prices(model: Any, observed: date) -> tuple[Any, list[tuple[date, Any]]]:
    """The price in force when observed, and the announced ones."""
    if not isinstance(model.prices, list):
        return model.prices, []
    dated = [(getattr(item.constraint, "start_date", date.min), item.prices) for item in model.prices]
    dated.sort(key=lambda item: item[0])
    return [price for day, price in dated if day <= observed][-1], [item for item in dated if item[0] > observed]


def _period(model: Any, start: str, price: Any, observed: date, *, announced: bool) -> PeriodSpec | None:
    units = {name: value for name, value in vars(price).items() if value is not None and name not in NOT_OURS}
    rates = {CLASSES[name]: value for name, value in units.items() if name in CLASSES and _is_exact(value)}
    if not rates or units.keys() - CLASSES.keys() - FEES.keys():
        return None
    tiers = dict(_tiers(model, rates, observed))
    thresholds = sorted({tier.start for value in rates.values() for tier in getattr(value, "tiers", ())}, reverse=True)
    return PeriodSpec(
        from_=start,
        per_mtok=_at(rates, 0),
        per_piece={FEES[name]: value / 1000 for name, value in units.items() if name in FEES},
        tiers={name: TierSpec(per_mtok=_at(value, 0)) for name, value in tiers.items()},
        rows=[
            RowSpec(
                when=ConditionSpec(prompt_above=above),
                per_mtok=_at(rates, above),
                tiers={name: TierSpec(per_mtok=_at(value, above)) for name, value in tiers.items()},
            )
            for above in thresholds
        ],
        announced=announced,
        source=f"C: genai-prices {version('genai-prices')}, observed {observed}",
    )


def _is_exact(value: Any) -> bool:
    """Whether the rate has at most 6 decimals: some cache writes are rounded twelfths, no vendor's own figure."""
    rates = [value] if isinstance(value, Decimal) else [value.base, *(tier.price for tier in value.tiers)]
    return all(round(rate, 6) == rate for rate in rates)


def _tiers(
    model: Any, rates: dict[TokenClass, Any], observed: date
) -> Iterator[tuple[ServiceTier, dict[TokenClass, Any]]]:
    """Service tiers; a class that a variant leaves out keeps its standard rate there."""
    for variant in model.price_variants or []:
        name = TIERS.get(next(iter(variant.when.values())))
        start = getattr(variant.constraint, "start_date", date.min)
        units = {key: value for key, value in vars(variant.prices).items() if value is not None}
        if name and len(variant.when) == 1 and start <= observed and units.keys() <= CLASSES.keys():
            yield name, {**rates, **{CLASSES[key]: value for key, value in units.items()}}


def _at(rates: dict[TokenClass, Any], above: int) -> dict[TokenClass, Decimal]:
    return {name: _rate(value, above) for name, value in rates.items()}


def _rate(value: Any, above: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    passed = [tier.price for tier in sorted(value.tiers, key=lambda tier: tier.start) if tier.start <= above]
    return Decimal(passed[-1] if passed and above else value.base)


def _names(match: Any) -> Iterator[str]:
    """Match rules as aliases; rules that an exact name or a `*` cannot say are left out."""
    if hasattr(match, "or_"):
        for part in match.or_:
            yield from _names(part)
    for kind, form in (("equals", "{}"), ("starts_with", "{}*"), ("contains", "*{}*"), ("ends_with", "*{}")):
        if hasattr(match, kind):
            yield form.format(getattr(match, kind))


def as_text(table: TableSpec, observed: date) -> str:
    """The file's text: provenance, licence, then JSON with one model a line."""
    licence = next(file for file in distribution("genai-prices").files or [] if file.name == "LICENSE").read_text()
    head = [
        "# yaml-language-server: $schema=../schema.json",
        "# Written by tools/import_genai_prices.py; do not edit.",
        f"# Source: genai-prices {version('genai-prices')}, https://github.com/pydantic/genai-prices",
        f"# Observed: {observed}",
        *(f"# {line}".rstrip() for line in licence.strip().splitlines()),
    ]
    fields = msgspec.to_builtins(table, str_keys=True)
    models = [msgspec.json.encode(model).decode() for model in fields.pop("models")]
    body = re.sub(r"\}$", ',"models":[', msgspec.json.encode({"schema": 1, **fields}).decode())
    return "\n".join([*head, body, ",\n".join(models), "]}", ""])


if __name__ == "__main__":
    main()
