"""Logs and policies of the tests of `check`."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Outcome

Run = Callable[..., Outcome]
BASELINE = ".llmmigrate/baseline.profile.json"
CONTRACT = """\
schema: 1
provider: acme
currency: USD
models:
  - id: acme-1
    periods:
      - from: 2026-01-01
        per_mtok: {{input: "{rate}", output: "8"}}
        source: "A: our contract"
"""
"""A price table of one's own, with its rate for input."""


def log(name: str, *, seed: int, calls: int = 600, longer: float = 1.0, spread: float = 0.3, **fields: Any) -> str:
    """Writes a log of lognormal answers on two routes; `longer` stretches those of /summarize."""
    draw = random.Random(seed)
    with Path(name).open("w", encoding="utf-8") as stream:
        for i in range(calls):
            route = ("/summarize", "/chat")[i % 2]
            record = {
                "timestamp": f"2026-11-20T10:{i // 60 % 60:02d}:{i % 60:02d}Z", "request_id": f"{name}-{i}",
                "provider": "openai", "model": "gpt-4.1", "route": route,
                "input_tokens": int(draw.lognormvariate(6.5, spread)),
                "output_tokens": int(draw.lognormvariate(5.5, spread) * (longer if route == "/summarize" else 1)),
            }  # fmt: skip
            stream.write(json.dumps({**record, **fields}) + "\n")
    return name


def document(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def rules(llmmigrate: Run, policy: str, path: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code under a policy, and every rule's result by its measure and value."""
    Path("policy.yaml").write_text(policy)
    outcome = llmmigrate("check", path, "--policy", "policy.yaml", "--format", "json")
    assert outcome.code != 2, outcome.err
    found = document(outcome)["rules"]
    return outcome.code, {" ".join([rule["measure"], *rule["where"].values()]): rule for rule in found}


def many_routes(name: str, routes: int, *, longer: int = 1, more: int = 0) -> str:
    """20 calls of each route; those of the last ten answer at length, and `more` routes are new."""
    with Path(name).open("w", encoding="utf-8") as stream:
        for route in range(routes + more):
            for i in range(20):
                record = {
                    "timestamp": f"2026-11-20T10:{i:02d}:{route:02d}Z", "request_id": f"{name}-{route}-{i}",
                    "provider": "openai", "model": "gpt-4.1", "route": f"/r{route:02d}", "input_tokens": 1_000 + i,
                    "output_tokens": (100 + i) * (longer if routes - 10 <= route < routes else 1),
                }  # fmt: skip
                stream.write(json.dumps(record) + "\n")
    return name
