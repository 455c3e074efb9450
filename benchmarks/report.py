"""Writes what was measured as Markdown: targets first, then where a peer is better, then every job."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import date
from importlib import metadata

from benchmarks.jobs import LITELLM, calls_of, count_of
from benchmarks.measure import Result
from benchmarks.targets import Target


def write_report(
    results: Mapping[str, Result], targets: Sequence[Target], rounds: int, day: date, options: str = ""
) -> str:
    """The whole document; `options` of the command that made it."""
    sections = [
        "# Benchmarks",
        f"Made by `{f'python -m benchmarks.run {options}'.strip()}` on {day}. Do not edit: run it again.",
        f"{rounds} alternating rounds, so that all commands meet the same disturbances. Every command is a process of"
        " its own and its start counts. CPU is user + system seconds, the least of all rounds; memory is the peak of"
        " the largest process; files lie in the page cache. Only ratios within this one session mean anything"
        " elsewhere.",
        f"Machine: {describe_machine()}.  \nVersions: {describe_versions(results)}.",
        "## Targets",
        targets_table(results, targets),
        "## Where a peer is better",
        peers_in_words(results),
        "## All jobs",
        jobs_table(results),
    ]
    return "\n\n".join(sections) + "\n"


def targets_table(results: Mapping[str, Result], targets: Sequence[Target]) -> str:
    """One row a target; what could not be measured says so."""
    rows = [[target.what, limit_in_words(target), *_outcome(results, target)] for target in targets]
    return markdown_table(["figure", "target", "measured", "kept"], rows)


def _outcome(results: Mapping[str, Result], target: Target) -> list[str]:
    if missing := [name for name in target.needs if name not in results or not results[name].runs]:
        return [f"not measured ({missing[0]})", "?"]
    figure = target.figure(results)
    return [f"{figure:,.2f}{target.unit}", "yes" if target.met_by(figure) else "**no**"]


def limit_in_words(target: Target) -> str:
    """The limit with its direction and unit."""
    return f"{'≥' if target.at_least else '≤'} {target.limit:g}{target.unit}"


def peers_in_words(results: Mapping[str, Result]) -> str:
    """The peers that need less CPU or less memory, and for what lesser job."""
    pairs = [(f"analyze {size}", count_of(size)) for size in ("1m", "5m")]
    measured = [(results[ours], results[peer]) for ours, peer in pairs if _both_ran(results, ours, peer)]
    lines = [line for ours, peer in measured for line in _faster(ours, peer)]
    return "\n".join(lines) or "Nowhere in what was measured."


def _both_ran(results: Mapping[str, Result], *names: str) -> bool:
    return all(name in results and results[name].runs for name in names)


def _faster(ours: Result, peer: Result) -> list[str]:
    lines = []
    if peer.cpu < ours.cpu:
        lines.append(f"- `{peer.job.name}` needs {ours.cpu / peer.cpu:.1f} times less CPU than `{ours.job.name}`; it"
                     " counts lines, and prices, checks and de-duplicates nothing.")  # fmt: skip
    if peer.wall < ours.wall:
        lines.append(f"- It is done {ours.wall / peer.wall:.1f} times sooner, on all cores.")
    if peer.mib < ours.mib:
        lines.append(f"- It takes {peer.mib:.0f} MiB against {ours.mib:.0f} MiB.")
    return lines


def jobs_table(results: Mapping[str, Result]) -> str:
    """One row a job; a job that failed shows its error."""
    rows = [[f"`{name}`", *_figures(result)] for name, result in results.items()]
    return markdown_table(["job", "CPU s, min", "CPU s, median", "wall s, min", "peak MiB", "records a CPU s"], rows)


def _figures(result: Result) -> list[str]:
    if not result.runs:
        return [f"failed: {result.failure}".replace("|", "\\|"), "", "", "", ""]
    speed = f"{result.job.records / result.cpu:,.0f}" if result.job.records else ""
    return [f"{result.cpu:.2f}", f"{result.median_cpu:.2f}", f"{result.wall:.2f}", f"{result.mib:.0f}", speed]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def describe_machine() -> str:
    """Cores, memory and system, in words."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores of {processor()}, {gib:.0f} GiB of memory, {system}, load {load:.1f} at the end"


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "an unnamed processor"


def describe_versions(results: Mapping[str, Result]) -> str:
    """The versions of everything measured."""
    found = [f"Python {platform.python_version()}"]
    for name in ("llmmigrate", "msgspec", "duckdb", "genai-prices"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    litellm = [LITELLM.replace("==", " ")] if calls_of("litellm") in results else []
    return ", ".join(found + litellm)
