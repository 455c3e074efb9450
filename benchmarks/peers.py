"""What other programs do with the same lines, a process each: `python benchmarks/peers.py PEER FILE [LINES]`.

duckdb         bare `count(*)` over `read_json` with explicit columns, the usual yardstick of a fast scan
duckdb-grouped all ten columns read with their types and summed by model and hour, ids counted once: nothing is priced
litellm        `json.loads` and `litellm.cost_per_token` a line
genai-prices   `json.loads` and `genai_prices.calc_price` a line, at the line's own time

LINES limits how many lines are read (0: only the imports; without it: all). This file imports nothing of its own
project and runs under any interpreter that has the peer. Models that a peer cannot price are skipped by it.
"""

import itertools
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

COLUMNS = {
    "timestamp": "VARCHAR",
    "request_id": "VARCHAR",
    "provider": "VARCHAR",
    "model": "VARCHAR",
    "input_tokens": "BIGINT",
    "cached_input_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "latency_ms": "BIGINT",
    "service_tier": "VARCHAR",
    "team": "VARCHAR",
}


LITELLM_PROVIDERS = {"google": "gemini"}
"""What litellm calls a provider, where it differs."""


def count_with_duckdb(path: str, limit: int | None) -> object:
    """The number of lines, as DuckDB counts them."""
    import duckdb

    return duckdb.execute(f"select count(*) from {duckdb_source(COLUMNS)}", [path]).fetchone()


def group_with_duckdb(path: str, limit: int | None) -> object:
    """Calls, tokens and distinct ids by model and hour: what any tool has to find out before it can price."""
    import duckdb

    columns = {**COLUMNS, "timestamp": "TIMESTAMP"}
    query = f"""
        select provider, model, service_tier, date_trunc('hour', "timestamp") as hour, count(*),
            count(distinct hash(request_id)), sum(input_tokens), sum(cached_input_tokens), sum(output_tokens),
            approx_quantile(latency_ms, 0.95)
        from {duckdb_source(columns)} group by all
    """
    return len(duckdb.execute(query, [path]).fetchall())


def duckdb_source(columns: dict[str, str]) -> str:
    """The table function that reads a log with these columns; its path is a parameter."""
    described = ", ".join(f"{name}: '{kind}'" for name, kind in columns.items())
    return f"read_json(?, format = 'newline_delimited', columns = {{{described}}})"


def price_with_litellm(path: str, limit: int | None) -> object:
    """The USD that litellm makes of the lines, from its list of today's prices."""
    import os

    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    total = 0.0
    for record in read(path, limit):
        try:
            costs = litellm.cost_per_token(
                model=record["model"],
                custom_llm_provider=LITELLM_PROVIDERS.get(record["provider"], record["provider"]),
                prompt_tokens=record["input_tokens"],
                completion_tokens=record["output_tokens"],
                cache_read_input_tokens=record["cached_input_tokens"],
            )
        except Exception:  # litellm raises several unrelated classes for a model it does not know
            continue
        total += sum(costs)
    return total


def price_with_genai_prices(path: str, limit: int | None) -> object:
    """The USD that genai-prices makes of the lines, each at its own time."""
    import genai_prices

    total = Decimal(0)
    for record in read(path, limit):
        usage = genai_prices.Usage(
            input_tokens=record["input_tokens"],
            cache_read_tokens=record["cached_input_tokens"],
            output_tokens=record["output_tokens"],
        )
        time = datetime.fromisoformat(record["timestamp"])
        try:
            price = genai_prices.calc_price(
                usage, record["model"], provider_id=record["provider"], genai_request_timestamp=time
            )
        except LookupError:
            continue
        total += price.total_price
    return total


def read(path: str, limit: int | None) -> Iterator[dict[str, Any]]:
    """The first `limit` records of a file."""
    with open(path, "rb") as lines:
        yield from map(json.loads, itertools.islice(lines, limit))


PEERS = {
    "duckdb": count_with_duckdb,
    "duckdb-grouped": group_with_duckdb,
    "litellm": price_with_litellm,
    "genai-prices": price_with_genai_prices,
}

if __name__ == "__main__":
    peer, path, *limit = sys.argv[1:]
    print(PEERS[peer](path, int(limit[0]) if limit else None))
