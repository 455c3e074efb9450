"""Writes a big synthetic flat log: `python -m benchmarks.make_logs LINES FILE`.

One call a line in order of time over 181 days, about 240 bytes a line, twelve models, an identity of its own for every
line, timestamps in ISO 8601 with milliseconds and Z. The same number of lines gives the same bytes every time.
"""

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

SEED = 1
DAYS = 181
FIRST_DAY = datetime(2026, 5, 18, tzinfo=UTC)

MODELS = (
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4.1-mini"),
    ("openai", "gpt-4.1"),
    ("openai", "gpt-4o"),
    ("openai", "o3"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("anthropic", "claude-opus-4-5"),
    ("google", "gemini-2.5-flash"),
    ("zai", "glm-5"),
)
TEAMS = ("search", "support", "billing", "growth")
TIERS = ("standard",) * 19 + ("flex",)
FLEX_MODELS = {"o3", "gpt-5"}
LINE = (
    '{"timestamp":"%s:%02d:%02d.%03dZ","request_id":"req_%016x","provider":"%s","model":"%s","input_tokens":%d,'
    '"cached_input_tokens":%d,"output_tokens":%d,"latency_ms":%d,"service_tier":"%s","team":"%s"}\n'
)


def make_lines(lines: int) -> Iterator[str]:
    """The lines of a log of that many calls."""
    draw = random.Random(SEED).random
    hours = [(FIRST_DAY + timedelta(hours=hour)).isoformat()[:13] for hour in range(DAYS * 24)]
    step = DAYS * 86_400_000 / lines
    for number in range(lines):
        millis = int((number + draw()) * step)
        second, milli = divmod(millis, 1000)
        minute, second = divmod(second, 60)
        provider, model = MODELS[int(draw() * draw() * len(MODELS))]
        prompt = 20 + int(4000 * draw() * draw())
        cached = prompt // 2 if prompt > 1024 and draw() < 0.3 else 0
        tier = TIERS[int(draw() * len(TIERS))] if model in FLEX_MODELS else "standard"
        identity = number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        yield LINE % (
            hours[minute // 60], minute % 60, second, milli, identity, provider, model, prompt,
            cached, 1 + int(900 * draw() * draw()), 150 + int(4000 * draw()), tier, TEAMS[int(draw() * len(TEAMS))],
        )  # fmt: skip


def write_log(lines: int, path: Path) -> None:
    """Write the log of that many calls, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(make_lines(lines))
    unfinished.replace(path)


if __name__ == "__main__":
    write_log(int(sys.argv[1]), Path(sys.argv[2]))
