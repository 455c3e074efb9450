"""Write what the documents quote from the program: schemas, the reference, tables of codes, screens, examples.

    python -m tools.make_docs               (`make docs`; the tests fail where a document is not current)

In a document, text between `<!-- made: NAME -->` and `<!-- end -->` is made by the maker of that name, and the text of
every `console` block is what its `$ ` lines show, run in a new directory beside the samples.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from tools import drill_tables, serving_points
from tools.screens import CLEAN, ROOT, show, workplace
from tools.write_price_schema import schema_files as price_schema_files

from llmmigrate import registry
from llmmigrate.checks.results import CheckResult, PriceCheck
from llmmigrate.costing.audit.reasoning import BUDGETS
from llmmigrate.costing.audit.results import SCHEMA as AUDIT_SCHEMA
from llmmigrate.costing.audit.results import Audit
from llmmigrate.costing.audit.rules import DEMANDS, HINTS, RULES
from llmmigrate.costing.results import Analysis, Estimate
from llmmigrate.costing.roi_results import Roi
from llmmigrate.costing.warnings import WORDS
from llmmigrate.prices.differences import PriceDifferences
from llmmigrate.reports.preview import SCHEMA as PREVIEW_SCHEMA
from llmmigrate.reports.preview import PreviewDocument
from llmmigrate.rollout.drill.results import SCHEMA as DRILL_SCHEMA
from llmmigrate.rollout.drill.results import Drill
from llmmigrate.rollout.lint import SCHEMA as LINT_SCHEMA
from llmmigrate.rollout.lint import Lint
from llmmigrate.rollout.plan import schema as plan_schema
from llmmigrate.rollout.status import SCHEMA as STATUS_SCHEMA
from llmmigrate.rollout.status import Status
from llmmigrate.serving.results import AcceleratorList, Plan, Playbook
from llmmigrate.shadow.batch import SCHEMA as BATCH_SCHEMA
from llmmigrate.shadow.batch import BatchResult
from llmmigrate.shadow.bench_results import Bench
from llmmigrate.shadow.calibration import SCHEMA as CALIBRATION_SCHEMA
from llmmigrate.shadow.calibration import Calibration
from llmmigrate.shadow.results import SCHEMA as VERDICT_SCHEMA
from llmmigrate.shadow.results import ComparisonResult
from llmmigrate.shadow.scoring import ROOM as MEASURES
from llmmigrate.shadow.scoring import measure
from llmmigrate.shadow.side_by_side import ComparedModels
from llmmigrate.usage.store import SCHEMA as PROFILE_SCHEMA
from llmmigrate.usage.store import ProfileFile

DOCS = ROOT / "docs"
SCHEMAS: Mapping[str, type] = {
    "llmmigrate.accelerators/1": AcceleratorList,
    "llmmigrate.analysis/1": Analysis,
    "llmmigrate.bench/1": Bench,
    "llmmigrate.check/1": CheckResult,
    "llmmigrate.estimate/1": Estimate,
    "llmmigrate.roi/1": Roi,
    "llmmigrate.price-check/1": PriceCheck,
    "llmmigrate.prices-compare/1": ComparedModels,
    "llmmigrate.prices-diff/1": PriceDifferences,
    AUDIT_SCHEMA: Audit,
    "llmmigrate.plan/1": Plan,
    "llmmigrate.playbook/1": Playbook,
    BATCH_SCHEMA: BatchResult,
    CALIBRATION_SCHEMA: Calibration,
    PROFILE_SCHEMA: ProfileFile,
    PREVIEW_SCHEMA: PreviewDocument,
    VERDICT_SCHEMA: ComparisonResult,
    DRILL_SCHEMA: Drill,
    LINT_SCHEMA: Lint,
    STATUS_SCHEMA: Status,
}
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SCREEN_WIDTH = 124

_MADE = re.compile(r"(<!-- made: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_CONSOLE = re.compile(r"^(```console\n)(.*?)^(```)$", re.DOTALL | re.MULTILINE)


def schema_files() -> Iterator[tuple[Path, str]]:
    """The JSON Schemas of results and of saved profiles, then those of price tables."""
    for name, record in SCHEMAS.items():
        path = DOCS / "schemas" / f"{name.partition('/')[0]}.schema.json"
        yield path, json.dumps(schema(name, record), indent=2, ensure_ascii=False) + "\n"
    yield DOCS / "schemas" / "llmmigrate.migration.schema.json", json.dumps(plan_schema(), indent=2) + "\n"
    yield from price_schema_files()


def schema(name: str, record: type) -> dict[str, Any]:
    """The schema of a document; its `schema` field may hold nothing but the document's name and version."""
    made = msgspec.json.schema(record)
    made["$defs"][record.__name__]["properties"]["schema"] = {"const": name}
    return {"$schema": DIALECT, "title": name, **made}


def reference() -> str:
    """Every command with its help as it is printed at 80 columns."""
    parts = ["# Reference", "Every command as `--help` prints it. Made by `python -m tools.make_docs`."]
    for words in command_lines():
        parts += [f"## {words}", f"```text\n{show(f'{words} --help').out.rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def command_lines() -> list[str]:
    """`llmmigrate`, its commands and their sub-commands."""
    from typer.main import get_command

    from llmmigrate.cli.app import app

    root = get_command(app)
    with root.make_context("llmmigrate", [], resilient_parsing=True) as context:
        return ["llmmigrate", *_below("llmmigrate", root, context)]


def _below(words: str, group: Any, context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        yield f"{words} {name}"
        child = group.get_command(context, name)
        if hasattr(child, "list_commands"):
            yield from _below(f"{words} {name}", child, context)


def warnings_table() -> str:
    """Every warning code with its words."""
    rows = [f"| `{code}` | {_generic(words)} | {fix or ''} |" for code, (words, fix) in sorted(WORDS.items())]
    return "\n".join(["| code | says | what to do |", "|---|---|---|", *rows])


def audit_rules() -> str:
    """Every rule of the audit with what it looks at, and what becomes of what a target lacks."""
    hints = {hint.rule for hint in HINTS} | {"strict_tools", "metadata", "caching", "reasoning"}
    demands = {demand.rule for demand in DEMANDS} | {"context", "body", "stored_history"}
    kinds = {**dict.fromkeys(hints, "left out"), **dict.fromkeys(demands, "refused")}
    rows = [f"| `{rule}` | {words} | {kinds.get(rule, 'see below')} |" for rule, words in RULES.items()]
    return "\n".join(["| rule | looks at | where the target lacks it |", "|---|---|---|", *rows])


def thinking_budgets() -> str:
    """The budget of tokens that stands for each effort."""
    efforts = " | ".join(BUDGETS)
    budgets = " | ".join(f"{budget:,}" for budget in BUDGETS.values())
    return f"| effort | {efforts} |\n|{'---|' * (len(BUDGETS) + 1)}\n| tokens | {budgets} |"


def measures_table() -> str:
    """Every built-in measure of the comparison."""
    found = [measure(name, vectors=_no_vector) for name in registry.names(MEASURES)]
    found.sort(key=lambda item: (["figure", "validity", "agreement"].index(item.kind), item.name))
    rows = [f"| `{item.name}` | {item.kind} | {item.unit or '0 to 1'} | {item.about} |" for item in found]
    return "\n".join(["| measure | kind | unit | says |", "|---|---|---|---|", *rows])


def verdict_screen(passes: bool) -> str:
    """The top of a comparison's page, judged by the real judge on drawn answers."""
    from tests.reports.runs import broken, passed

    from llmmigrate.reports.formats import table
    from llmmigrate.reports.shadow import report

    ran = passed() if passes else broken()
    page = table.render(report(ran.result, ran.examples), width=_SCREEN_WIDTH, color=False)
    top, _, _ = page.partition("The run spent")  # of drawn answers nobody was paid for
    return f"```text\n{top.rstrip()}\n```"


def _no_vector(text: str) -> None:
    """Nothing is measured for a table."""


def _generic(words: str) -> str:
    return words.replace("{n}", "N").replace("{places}", "…")


MAKERS: Mapping[str, Callable[[], str]] = {
    "audit-rules": audit_rules, "measures": measures_table, "thinking-budgets": thinking_budgets,
    "warnings": warnings_table, "serving-points": serving_points.table, "drill-faults": drill_tables.faults,
    "drill-measures": drill_tables.measures, "findings": drill_tables.findings,
    "verdict-fail": partial(verdict_screen, passes=False), "verdict-pass": partial(verdict_screen, passes=True),
}  # fmt: skip


def documents() -> list[Path]:
    """The README and every page of the documents that is written by hand."""
    return [ROOT / "README.md", *(path for path in sorted(DOCS.rglob("*.md")) if path.name != "reference.md")]


def refreshed(text: str) -> str:
    """A page with its made parts and the output of its console blocks made anew."""
    text = _MADE.sub(lambda match: f"{match[1]}{MAKERS[match[2]]()}\n{match[3]}", text)
    if not _CONSOLE.search(text):
        return text
    with workplace():
        return _CONSOLE.sub(lambda match: match[1] + transcript(commands(match[2])) + match[3], text)


def commands(block: str) -> list[str]:
    """The command lines of a console block."""
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def transcript(lines: list[str]) -> str:
    """What a terminal shows when these lines are typed, run by one shell in the working directory."""
    script = "".join(f"printf '%s\\n' {_quoted('$ ' + line)}; (exit $code); {line}\ncode=$?\n" for line in lines)
    return run_shell("code=0\n" + script).stdout


def run_shell(script: str) -> "subprocess.CompletedProcess[str]":
    """Run a shell script offline with a fixed clock; its errors appear among its output."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LLMMIGRATE_")}
    environment = inherited | CLEAN | {"PATH": path}
    return subprocess.run(
        ["bash", "-c", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def made_files() -> Iterator[tuple[Path, str]]:
    """Every file that is made as a whole."""
    from tools.draw import images

    yield from schema_files()
    yield DOCS / "reference.md", reference()
    yield from images()


def main() -> None:
    """Write every file that is not current."""
    for path, text in made_files():
        _write(path, text)
    for path in documents():
        _write(path, refreshed(path.read_text(encoding="utf-8")))


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
