"""Prices usages whose cost the vendor states, here and with other libraries: `python -m benchmarks.accuracy`.

The usages and the vendors' answers are `tests/prices/golden_usages.jsonl`. llmmigrate prices them the way a user would,
as a log given to `analyze`. genai-prices comes with the test environment; litellm is measured where
`python -m benchmarks.run --peers` has made an environment for it. Prints Markdown; `-o` writes it to a file.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.report import markdown_table
from benchmarks.run import PEERS_PYTHON

ROOT = Path(__file__).parents[1]
USAGES = ROOT / "tests" / "prices" / "golden_usages.jsonl"
PRICE_USAGES = Path(__file__).with_name("price_usages.py")
ROUNDING = Decimal("1e-9")
"""A relative difference up to this is rounding of binary floating point and no error."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one program makes of all usages; None where it gives no price."""

    name: str
    version: str
    models: int
    costs: Sequence[Decimal | None]


def main() -> None:
    """Ask everyone, print or write the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    output = parser.parse_args().output
    document = write_accuracy(read_usages(), [ask_llmmigrate(), *ask_peers()])
    if output is None:
        sys.stdout.write(document)
    else:
        output.write_text(document, encoding="utf-8")


def read_usages() -> list[dict[str, Any]]:
    """The usages with the vendors' answers."""
    return [json.loads(line) for line in USAGES.read_text(encoding="utf-8").splitlines()]


def ask_llmmigrate() -> Answers:
    """`analyze` on the usages as a log, without what the vendor says."""
    usages = read_usages()
    command = [sys.executable, "-m", "llmmigrate"]
    log = "".join(json.dumps(_as_call(usage)) + "\n" for usage in usages)
    analysis = _json_of([*command, "analyze", "-", "--by", "tag.case", "--format", "json"], log)
    costs = {group["key"]["tag.case"]: group.get("cost") for group in analysis["groups"]}
    tables = _json_of([*command, "prices", "list", "--format", "json"])["tables"]
    models = sum(table["models"] for table in tables)
    return Answers("llmmigrate", analysis["version"], models, [_decimal(costs[usage["id"]]) for usage in usages])


def _as_call(usage: dict[str, Any]) -> dict[str, Any]:
    """A flat log record; what names the usage becomes a tag."""
    named = {"case": usage["id"], "request_id": usage["id"]}
    return named | {key: value for key, value in usage.items() if key not in ("id", "expected_cost_usd")}


def ask_peers() -> list[Answers]:
    """The other libraries that are installed."""
    found = [ask_peer("genai-prices", sys.executable)]
    return [*found, ask_peer("litellm", str(PEERS_PYTHON))] if PEERS_PYTHON.exists() else found


def ask_peer(name: str, python: str) -> Answers:
    """One library, in the environment that has it."""
    said = _json_of([python, str(PRICE_USAGES), name, str(USAGES)])
    return Answers(name, said["version"], said["models"], [_decimal(cost) for cost in said["costs"]])


def _json_of(command: Sequence[str], text: str | None = None) -> Any:
    return json.loads(subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True, text=True).stdout)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def is_right(cost: Decimal | None, expected: Decimal | None) -> bool:
    """Whether an answer is the vendor's; for what nobody can price the right answer is none."""
    if cost is None or expected is None:
        return cost is expected
    return abs(cost - expected) <= ROUNDING * expected


def score(answers: Answers, usages: Sequence[dict[str, Any]]) -> tuple[int, int, int]:
    """How many answers are right, how many are a wrong amount, how many are none though there is a price."""
    pairs = [(cost, _decimal(usage["expected_cost_usd"])) for cost, usage in zip(answers.costs, usages, strict=True)]
    right = sum(is_right(cost, expected) for cost, expected in pairs)
    refused = sum(cost is None and expected is not None for cost, expected in pairs)
    return right, len(pairs) - right - refused, refused


def write_accuracy(usages: Sequence[dict[str, Any]], everyone: Sequence[Answers]) -> str:
    """The whole document."""
    agreed = sum(all(_right_at(answers, i, usages) for answers in everyone) for i in range(len(usages)))
    sections = [
        "# Accuracy",
        "Made by `python -m benchmarks.accuracy -o docs/accuracy.md`. Do not edit: run it again.",
        f"{len(usages)} usages whose cost the vendor's price pages state, or for four of them its published bills"
        " (`tests/prices/golden_usages.jsonl`). We chose them to be hard: price cuts, clocks, cache writes, batch and"
        " flex tiers, size thresholds, names that look alike. They tell which rules of billing a library knows and"
        f" are no sample of anybody's traffic. {agreed} of them, most at present rates, everyone gets right.",
        score_table(usages, everyone),
        f"A difference up to {ROUNDING:e} of the amount counts as right. litellm takes no date and prices every call at"
        " the moment of running, so its answers for models with peak hours may differ at another hour.",
        "## Where a peer is better",
        better_in_words(everyone),
        "## Every usage",
        "USD; = is the vendor's amount, with the relative error where it is another, – is no price.",
        usage_table(usages, everyone),
    ]
    return "\n\n".join(sections) + "\n"


def _right_at(answers: Answers, place: int, usages: Sequence[dict[str, Any]]) -> bool:
    return is_right(answers.costs[place], _decimal(usages[place]["expected_cost_usd"]))


def score_table(usages: Sequence[dict[str, Any]], everyone: Sequence[Answers]) -> str:
    """One row a program."""
    rows = [[f"{answers.name} {answers.version}", *map(str, score(answers, usages))] for answers in everyone]
    return markdown_table([f"of {len(usages)} usages", "right", "wrong amount", "no price"], rows)


def better_in_words(everyone: Sequence[Answers]) -> str:
    """The peers that know more models."""
    ours = everyone[0]
    more = [
        f"- {peer.name} knows {peer.models:,} models, llmmigrate {ours.models:,}."
        for peer in everyone[1:]
        if peer.models > ours.models
    ]
    return "\n".join(more) or "Nowhere in what was measured."


def usage_table(usages: Sequence[dict[str, Any]], everyone: Sequence[Answers]) -> str:
    """One row a usage."""
    rows = [
        [
            usage["id"],
            usage["expected_cost_usd"] or "no price",
            *(_cell(answers.costs[i], usage) for answers in everyone),
        ]
        for i, usage in enumerate(usages)
    ]
    return markdown_table(["usage", "vendor", *(answers.name for answers in everyone)], rows)


def _cell(cost: Decimal | None, usage: dict[str, Any]) -> str:
    expected = _decimal(usage["expected_cost_usd"])
    if is_right(cost, expected):
        return "="
    if cost is None or expected is None:
        return "–" if cost is None else f"{cost:f}"
    return f"{cost:.6g} ({100 * (cost / expected - 1):+.0f} %)"


if __name__ == "__main__":
    main()
