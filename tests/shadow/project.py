"""A folder in which a comparison is run: its settings, and what the last run has left."""

import json
from pathlib import Path
from typing import Any

from tests.endpoints.fault_server import FaultServer

KEY = "sk-test-0123456789abcdef"
RUNS = Path(".llmmigrate/runs")


def configure(
    current: FaultServer, target: FaultServer, *, price: str = "zero", more: str = "", folder: Path = Path()
) -> None:
    """Settings for a log of o3 and a target of one's own; `more`: further providers."""
    (folder / "llmmigrate.yaml").write_text(f"""\
version: 1
logs: [logs.jsonl]
from: {{provider: openai, model: o3, base_url: "{current.base_url}", api_key_env: OPENAI_API_KEY}}
to: {{provider: local, model: glm-5}}
providers:
  local: {{base_url: "{target.base_url}", dialect: openai-chat, price: {price}}}
{more}""")


def the_run() -> Path:
    """The folder of the last run."""
    return sorted(RUNS.iterdir())[-1]


def verdict() -> dict[str, Any]:
    """What the last run has found."""
    found: dict[str, Any] = json.loads((the_run() / "verdict.json").read_text())
    return found
