"""Write the JSON Schemas of price tables (`pricing/schema.json`) and of what `prices` prints (`docs/schemas/`).

python tools/write_price_schema.py
"""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from llmmigrate.prices.self_hosted import self_hosted_schema
from llmmigrate.prices.sheets import PriceList, PriceSheet, Validation
from llmmigrate.prices.tables import json_schema
from llmmigrate.prices.update_results import PriceUpdate

ROOT = Path(__file__).resolve().parents[1]
OUTPUTS = {"prices": PriceList, "price": PriceSheet, "prices-validation": Validation, "prices-update": PriceUpdate}


def schema_files() -> Iterator[tuple[Path, str]]:
    """Every schema file and its text."""
    yield ROOT / "pricing" / "schema.json", _text(json_schema())
    yield ROOT / "pricing" / "self-hosted.schema.json", _text(self_hosted_schema())
    for name, record in OUTPUTS.items():
        yield ROOT / "docs" / "schemas" / f"llmmigrate.{name}.schema.json", _text(msgspec.json.schema(record))


def _text(schema: object) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path, text in schema_files():
        path.write_text(text, encoding="utf-8")
