"""Which commands are measured against which."""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Job

MILLION = 1_000_000
SIZES = {"1k": 1_000, "10k": 10_000, "1m": MILLION, "5m": 5 * MILLION}
PEER_LINES = 20_000
LITELLM = "litellm==1.106.2"
PEERS = Path(__file__).with_name("peers.py")

TARGET_MODELS = (
    *("openai/" + name for name in ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "o3")),
    *("openai/" + name for name in ("o4-mini", "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5.1", "gpt-5.2")),
    *("openai/" + name for name in ("gpt-5.4", "gpt-5.5", "gpt-5.6-luna", "gpt-5.6-terra", "gpt-6-sol")),
    *("anthropic/" + name for name in ("claude-sonnet-4-5", "claude-sonnet-4-6", "claude-sonnet-5")),
    *("anthropic/" + name for name in ("claude-haiku-4-5", "claude-opus-4-5", "claude-opus-4-6", "claude-opus-5")),
    *("google/" + name for name in ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.1-pro-preview")),
    *("deepseek/" + name for name in ("deepseek-v4-flash", "deepseek-v4-pro")),
    *("zai/" + name for name in ("glm-4.6", "glm-5", "glm-5.1", "glm-5.3")),
    *("dashscope-intl/" + name for name in ("qwen3-max", "qwen3.7-plus")),
    "moonshotai/kimi-k3",
)
PROFILES = ("10k", "1m")
"""Sizes of logs of which a profile is saved: one to check against, one to price again."""
REPRICE = f"estimate, profile of 1m, {len(TARGET_MODELS)} targets"

GROUPED = "duckdb, typed and grouped 1m"
"""Where a fast engine stands before anything is priced: what the count leaves out."""


def product_jobs(command: Sequence[str], data: Path, sizes: Sequence[str]) -> list[Job]:
    """Our own commands."""
    estimate = [*command, "estimate", str(data / "1m.profile.json")]
    targets = [part for model in TARGET_MODELS for part in ("--to", model)]
    return [
        Job("llmmigrate --help", [*command, "--help"]),
        *(Job(f"analyze {size}", [*command, "analyze", str(data / f"{size}.jsonl")], SIZES[size]) for size in sizes),
        Job("check 10k", [*command, "check", str(data / "10k.jsonl"), "--baseline", str(data / "10k.profile.json")]),
        Job(REPRICE, [*estimate, *targets]),
    ]


def baseline_jobs(data: Path, sizes: Sequence[str]) -> list[Job]:
    """What ours are compared with, as far as it is installed here."""
    big = [size for size in sizes if SIZES[size] >= MILLION]
    return [
        Job("python -c pass", [sys.executable, "-c", "pass"]),
        *(Job(count_of(size), _peer("duckdb", data / f"{size}.jsonl"), SIZES[size]) for size in big),
        Job(GROUPED, _peer("duckdb-grouped", data / "1m.jsonl"), MILLION),
        *peer_jobs("genai-prices", sys.executable, data),
    ]


def peer_jobs(peer: str, python: str, data: Path) -> list[Job]:
    """A library that prices call by call, and its imports alone."""
    log = data / "1m.jsonl"
    return [
        Job(imports_of(peer), _peer(peer, log, 0, python)),
        Job(calls_of(peer), _peer(peer, log, PEER_LINES, python), PEER_LINES),
    ]


def imports_of(peer: str) -> str:
    """The name of the job that only imports a peer."""
    return f"{peer}, imports"


def calls_of(peer: str) -> str:
    """The name of the job in which a peer prices calls."""
    return f"{peer}, {PEER_LINES:,} calls"


def count_of(size: str) -> str:
    """The name of the job in which DuckDB counts the lines of a log."""
    return f"duckdb count(*) {size}"


def _peer(peer: str, log: Path, lines: int | None = None, python: str = sys.executable) -> list[str]:
    return [python, str(PEERS), peer, str(log), *([] if lines is None else [str(lines)])]
