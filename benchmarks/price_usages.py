"""What other libraries make of single usages, a process each: `python benchmarks/price_usages.py PEER FILE`.

FILE holds one usage a line in the fields of `tests/prices/golden_usages.jsonl`. Prints one JSON object: the library's
`version`, how many `models` it knows, and `costs`, one decimal text a usage or null where the library raises. Each
library gets everything that its interface takes: cached reads, cache writes by lifetime, the service tier, and for
genai-prices the instant; litellm has no parameter for it. This file imports nothing of its own project.
"""

import contextlib
import json
import sys
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from typing import Any

Usage = dict[str, Any]

LITELLM_PROVIDERS = {"google": "gemini"}
"""What litellm calls a provider, where it differs."""
GENAI_TIERS = {"batch": {"processing": "batch"}, "flex": {"service_tier": "flex"}}


def price_with_genai_prices(usage: Usage) -> str:
    """The price at the usage's own instant."""
    import genai_prices

    written = usage["cache_write_5m_tokens"] + usage["cache_write_1h_tokens"]
    tokens = genai_prices.Usage(
        input_tokens=usage["input_tokens"],
        cache_read_tokens=usage["cached_input_tokens"],
        output_tokens=usage["output_tokens"],
        **({"cache_write_tokens": written, "cache_write_1h_tokens": usage["cache_write_1h_tokens"]} if written else {}),
    )
    price = genai_prices.calc_price(
        tokens,
        usage["model"],
        provider_id=usage["provider"],
        genai_request_timestamp=datetime.fromisoformat(usage["timestamp"]),
        price_context=GENAI_TIERS.get(usage["service_tier"]),
    )
    return str(price.total_price)


def price_with_litellm(usage: Usage) -> str:
    """The price at the moment of running: there is no parameter for the instant of the call."""
    import litellm
    from litellm.cost_calculator import batch_cost_calculator

    provider = LITELLM_PROVIDERS.get(usage["provider"], usage["provider"])
    if usage["service_tier"] == "batch":
        costs = batch_cost_calculator(_litellm_usage(usage), usage["model"], custom_llm_provider=provider)
    else:
        tier = None if usage["service_tier"] == "standard" else usage["service_tier"]
        costs = litellm.cost_per_token(
            usage["model"], custom_llm_provider=provider, usage_object=_litellm_usage(usage), service_tier=tier
        )
    return repr(sum(costs))


def _litellm_usage(usage: Usage) -> Any:
    from litellm.types.utils import Usage as LitellmUsage

    written_5m, written_1h = usage["cache_write_5m_tokens"], usage["cache_write_1h_tokens"]
    details = {"cached_tokens": usage["cached_input_tokens"], "cache_creation_tokens": written_5m + written_1h}
    if written_1h:
        details["cache_creation_token_details"] = {
            "ephemeral_5m_input_tokens": written_5m,
            "ephemeral_1h_input_tokens": written_1h,
        }
    return LitellmUsage(
        prompt_tokens=usage["input_tokens"],
        completion_tokens=usage["output_tokens"],
        total_tokens=usage["input_tokens"] + usage["output_tokens"],
        reasoning_tokens=usage["reasoning_tokens"],
        prompt_tokens_details=details,
        cache_read_input_tokens=usage["cached_input_tokens"],
        cache_creation_input_tokens=written_5m + written_1h,
    )


def models_of_genai_prices() -> int:
    """How many models it has prices for, over all providers."""
    from genai_prices.data import providers

    return sum(len(provider.models) for provider in providers)


def models_of_litellm() -> int:
    """How many entries its price list has."""
    import litellm

    return len(litellm.model_cost)


PEERS: dict[str, tuple[Callable[[Usage], str], Callable[[], int]]] = {
    "genai-prices": (price_with_genai_prices, models_of_genai_prices),
    "litellm": (price_with_litellm, models_of_litellm),
}


def answer(price: Callable[[Usage], str], usage: Usage) -> str | None:
    """A usage's cost, None where the library raises: each has several unrelated classes for what it does not know."""
    try:
        return price(usage)
    except Exception:
        return None


def main() -> None:
    """Price every usage of a file and print the answers."""
    import os

    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    peer, path = sys.argv[1:]
    price, count_models = PEERS[peer]
    with open(path, encoding="utf-8") as lines, contextlib.redirect_stdout(sys.stderr):
        costs = [answer(price, json.loads(line)) for line in lines]
        models = count_models()
    print(json.dumps({"version": version(peer), "models": models, "costs": costs}))


if __name__ == "__main__":
    main()
