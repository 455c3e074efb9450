"""litellm (MIT): today's prices of thousands of models in one JSON file, per token; no history.

A condition is a suffix of a key: `input_cost_per_token_above_272k_tokens_batches`. A 0 stands there for what is not
known as well as for what is free: no new model is believed to be free. Prices by the clock, second or character are
left out.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, cast

from llmmigrate.prices.tables import ConditionSpec, ModelSpec, PeriodSpec, RowSpec, TierSpec
from llmmigrate.prices.updates import ClockRates, Snapshot
from llmmigrate.prices.updates._tables import exact, table
from llmmigrate.units import ServiceTier, TokenClass

PACKAGE: Final = "litellm"
MEMBER: Final = "litellm/model_prices_and_context_window_backup.json"
URL: Final = "https://github.com/BerriAI/litellm"
LICENCE: Final = "MIT License, Copyright (c) 2023 Berri AI"

PROVIDERS: Final = {
    "openai": "openai",
    "text-completion-openai": "openai",
    "anthropic": "anthropic",
    "gemini": "google",
    "deepseek": "deepseek",
    "zai": "zai",
    "moonshot": "moonshotai",
    "dashscope": "dashscope-intl",
    "azure": "azure",
    "azure_ai": "azure",
    "bedrock": "aws-bedrock",
    "bedrock_converse": "aws-bedrock",
    "mistral": "mistral",
    "groq": "groq",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "xai": "x-ai",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
}
"""Its providers → ours."""
MODES: Final = {"chat", "completion", "responses", "embedding"}
"""What is billed by the token alone."""
CLASSES: Final[dict[str, TokenClass]] = {
    "input_cost_per_token": "input",
    "input_cost_per_audio_token": "input_audio",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write_5m",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_token": "output",
    "output_cost_per_audio_token": "output_audio",
    "output_cost_per_reasoning_token": "reasoning",
}
TIERS: Final[dict[str, ServiceTier]] = {
    "": "standard",
    "_batches": "batch",
    "_flex": "flex",
    "_priority": "priority",
}
_KEY: Final = re.compile(rf"({'|'.join(CLASSES)})(?:_above_(\d+)k_tokens)?({'|'.join(TIERS)})")
_PER_MTOK: Final = 1_000_000
_DECIMALS: Final = 6
_NOISE: Final = Decimal("1e-12")
"""Relative: what a float adds to a price."""
_NEVER_FREE: Final = {"input", "output"}
"""A 0 in these is shown, so that a model whose price turns to 0 is refused and not forgotten."""

Rates = dict[TokenClass, Decimal]
Bands = dict[int, dict[ServiceTier, Rates]]
"""More than so many prompt tokens → service tier → rates per 1M tokens."""


def parse(data: bytes, *, code: bool) -> Any:
    """The models as plain values; a wheel and a repository hold the same JSON. ValueError for anything else."""
    return json.loads(data, parse_float=Decimal)


def snapshot(found: Any, version: str, observed: date) -> Snapshot:
    """The models of providers that are known here, as tables."""
    models: dict[str, dict[str, ModelSpec]] = defaultdict(dict)
    left_out: dict[str, list[str]] = defaultdict(list)
    by_clock: dict[str, ClockRates] = {}
    for key, said in sorted(found.items(), key=lambda item: "/" not in item[0]):  # behind its provider's name first
        provider = PROVIDERS.get(said.get("litellm_provider"))
        if provider is None or said.get("mode") not in MODES or key.startswith("ft:"):
            continue
        name = key.removeprefix(f"{said['litellm_provider']}/").removeprefix("bedrock/")
        spec = _model(name, said, version, observed)
        if spec:
            models[provider].setdefault(name, spec)
        else:
            left_out[provider].append(name)
        if "off_peak_pricing" in said:
            by_clock.setdefault(f"{provider}/{name}", _by_clock(said))
    tables = [table(name, list(listed.values()), [], observed) for name, listed in sorted(models.items())]
    return Snapshot(tables=tables, left_out=left_out, by_clock=by_clock)


def _model(name: str, said: Mapping[str, Any], version: str, observed: date) -> ModelSpec | None:
    bands, end = _bands(said), None
    if said.get("tiered_pricing"):
        bands, end = _listed_bands(said["tiered_pricing"])
    base = bands.get(0, {})
    if "off_peak_pricing" in said or "input" not in base.get("standard", {}) or name.endswith(":free"):
        return None
    retires = said.get("deprecation_date")
    period = PeriodSpec(
        from_=observed.isoformat(),
        per_mtok=base["standard"],
        per_piece={"request": exact(said["input_cost_per_request"])} if said.get("input_cost_per_request") else {},
        tiers=_tiers(base),
        rows=[
            RowSpec(
                when=ConditionSpec(prompt_above=above), per_mtok=bands[above]["standard"], tiers=_tiers(bands[above])
            )
            for above in sorted(bands, reverse=True)
            if above and "standard" in bands[above]
        ],
        prompt_upto=end,
        source=f"C: {PACKAGE} {version}, observed {observed}",
    )
    return ModelSpec(
        id=name,
        context_window=_whole(said.get("max_input_tokens")),
        max_output=_whole(said.get("max_output_tokens")),
        retires=date.fromisoformat(retires).isoformat() if retires else None,
        periods=[period],
    )


def _by_clock(said: Mapping[str, Any]) -> ClockRates:
    peak = _bands(said)[0]["standard"]
    low = _bands(said["off_peak_pricing"])[0]["standard"]
    return ClockRates({**peak, **low}, peak)


def _bands(said: Mapping[str, Any]) -> Bands:
    """The rates by size and tier; a class that a band leaves out keeps its rate of the lowest band."""
    bands: Bands = defaultdict(lambda: defaultdict(dict))
    for key, value in said.items():
        found = _KEY.fullmatch(key)
        rate = _rate(value, CLASSES[found[1]], said) if found else None
        if found and rate is not None:
            bands[int(found[2] or 0) * 1000][TIERS[found[3]]][CLASSES[found[1]]] = rate
    lowest = bands.get(0, {}).get("standard", {})
    for above, tiers in bands.items():
        if above and "standard" in tiers:
            tiers["standard"] = {**lowest, **tiers["standard"]}
    return bands


def _listed_bands(said: Any) -> tuple[Bands, int | None]:
    """Bands as ranges, and the end of the last one."""
    bands: Bands = {}
    for band in said:
        rates = {CLASSES[key]: _rate(value, CLASSES[key], band) for key, value in band.items() if key in CLASSES}
        bands[int(band["range"][0])] = {"standard": {name: rate for name, rate in rates.items() if rate is not None}}
    return bands, max(int(band["range"][1]) for band in said)


def _tiers(band: Mapping[ServiceTier, Rates]) -> dict[ServiceTier, TierSpec]:
    return {name: TierSpec(per_mtok=rates) for name, rates in _in_order(band) if name != "standard"}


def _in_order(band: Mapping[ServiceTier, Rates]) -> Iterator[tuple[ServiceTier, Rates]]:
    yield from ((name, band[name]) for name in TIERS.values() if name in band)


def _rate(value: object, name: TokenClass, said: Mapping[str, Any]) -> Decimal | None:
    """A rate per 1M tokens without the noise of a float; None for what has more decimals than a price, and for a 0 that
    says that there is no such price: of an embedding's output, of cache writes.
    """
    rate = exact(value) * _PER_MTOK
    whole = round(rate, _DECIMALS)
    if not whole:
        return Decimal(0) if not rate and name in _NEVER_FREE and said.get("mode") != "embedding" else None
    return None if abs(rate - whole) > whole * _NOISE else exact(whole)


def _whole(value: object) -> int | None:
    return int(cast("Any", value)) if isinstance(value, int | Decimal) else None
