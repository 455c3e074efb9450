"""Logs and bills of the tests of `analyze --invoice`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Outcome

Run = Callable[..., Outcome]
MILLION = 1_000_000


def call(day: int, **fields: Any) -> dict[str, Any]:
    """A gpt-4.1 call of a million tokens in: 2 USD."""
    plain = {
        "timestamp": f"2026-10-{day:02d}T00:10:00Z", "provider": "openai", "model": "gpt-4.1",
        "input_tokens": MILLION, "output_tokens": 0,
    }  # fmt: skip
    return {**plain, **fields}


def log(*calls: dict[str, Any]) -> str:
    Path("log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in calls))
    return "log.jsonl"


def bill(text: str, name: str = "bill.csv") -> str:
    Path(name).write_text(text)
    return name


def invoice(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)["invoice"]
    return found


def reasons(found: dict[str, Any]) -> dict[str, str]:
    return {line["day"]: line["reason"] for line in found["lines"]}


HEAD = "date,model,item,quantity,amount\n"
IN, CACHED, OUT = (
    "2026-10-01,gpt-4.1,{},{},{}\n".replace("{}", name, 1) for name in ("input", "cached_input", "output")
)
