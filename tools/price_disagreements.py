"""Our price tables against genai-prices and litellm: every rate that a library contradicts has to be explained.

    python -m tools.price_disagreements [--sources .venv/price-sources] [--all]

Reads one wheel of each library (`make price-sources` fetches them) and `pricing/explained.yaml`. Exit code 1 where a
contradiction is not explained, or an explanation is of something that no library says any more.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from llmmigrate.money import plain
from llmmigrate.prices import bundled_directory, load_catalog
from llmmigrate.prices.disagreements import Held, held_against, idle
from llmmigrate.prices.explained import read_explanations
from llmmigrate.prices.packages import read_package, snapshot_of
from llmmigrate.prices.periods import epoch
from llmmigrate.prices.updates import Snapshot, source_named

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / ".venv" / "price-sources"
LIBRARIES = ("genai-prices", "litellm")


class Findings(NamedTuple):
    """What the three-way comparison found."""

    held: Sequence[Held]
    idle: Sequence[tuple[str, str, str]]

    @property
    def unexplained(self) -> list[Held]:
        """Contradictions without a reason."""
        return [each for each in self.held if each.unexplained]


def wheels(folder: Path) -> dict[str, Path]:
    """Library → its wheel in the folder."""
    found = {name: sorted(folder.glob(f"{name.replace('-', '_')}-*.whl")) for name in LIBRARIES}
    return {name: paths[-1] for name, paths in found.items() if paths}


def compare(paths: dict[str, Path], on: date) -> Findings:
    """The tables as of a day against the libraries' wheels."""
    snapshots = {name: _snapshot(name, path, on) for name, path in paths.items()}
    explanations = read_explanations(bundled_directory())
    held = held_against(load_catalog(), snapshots, epoch(on.isoformat()), explanations)
    return Findings(held, sorted(idle(held, explanations)))


def _snapshot(name: str, path: Path, on: date) -> Snapshot:
    source = source_named(name)
    return snapshot_of(source, path, read_package(source, path), on)


def table(found: Findings, *, everything: bool) -> str:
    """The contradictions (or all rates) as a Markdown table, and how often who agrees."""
    lines = [f"| Rate | ours | {' | '.join(LIBRARIES)} | why we stay |", "|---|---:|---:|---:|---|"]
    for each in found.held:
        if each.why or everything:
            said = " | ".join(_text(each.said[name]) for name in LIBRARIES)
            why = "; ".join(reason or "NOT EXPLAINED" for reason in dict.fromkeys(each.why.values()))
            lines.append(f"| {each.model} {each.rate} | {_text(each.ours)} | {said} | {why} |")
    counts = Counter(_kind(each) for each in found.held)
    words = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    return "\n".join(
        [*lines, "", f"{len(found.held)} rates of {len({each.model for each in found.held})} models: {words}."]
    )


def _kind(held: Held) -> str:
    if held.by_all:
        return "that all contradict"
    if held.why:
        return "that one contradicts"
    agree = sum(rate is not None for rate in held.said.values())
    return {2: "that both confirm", 1: "that one confirms", 0: "that none states"}[agree]


def _text(rate: Decimal | None) -> str:
    return "–" if rate is None else plain(rate)


def main() -> int:
    """Print the table; exit code 1 with anything unexplained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=Path, default=SOURCES)
    parser.add_argument("--on", type=date.fromisoformat, default=date.today(), help="the day of the prices; today")
    parser.add_argument("--all", action="store_true", help="every rate, not only those that are contradicted")
    options = parser.parse_args()
    paths = wheels(options.sources)
    if len(paths) < len(LIBRARIES):
        sys.exit(f"{options.sources} has no wheel of each library: make price-sources")
    found = compare(paths, options.on)
    print(table(found, everything=options.all))
    for source, model, rate in found.idle:
        print(f"pricing/explained.yaml explains what {source} does not say: {model} {rate}", file=sys.stderr)
    return 1 if found.unexplained or found.idle else 0


if __name__ == "__main__":
    sys.exit(main())
