"""Results of shadow runs and audits as files, for `rollout lint`: those at hand, and those that are named."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmmigrate.errors import ConfigError, InputError, LlmmigrateError, Location

if TYPE_CHECKING:
    from llmmigrate.cli.console import Console
    from llmmigrate.costing.audit.results import Audit
    from llmmigrate.rollout.evidence import Audited, Evidence, Verdict

VERDICT = "verdict.json"


def gathered(plan: Path, runs: Sequence[str], audits: Sequence[str], console: "Console") -> "Evidence":
    """Verdicts of the runs beside the plan and of those named, and the audits named.

    A named one that cannot be read is an error; one that merely lies there is said and left out.
    """
    from llmmigrate.rollout.evidence import Evidence
    from llmmigrate.shadow.runs import find_run

    root = plan.parent
    named = [find_run(root, name) for name in runs]
    verdicts = [_verdict(folder) for folder in named]
    known = {folder.resolve() for folder in named}
    verdicts += [
        found for folder in _at_hand(root) if folder.resolve() not in known and (found := _tried(folder, console))
    ]
    return Evidence(verdicts=verdicts, audits=[each for name in audits for each in _audited(Path(name))])


def _at_hand(root: Path) -> list[Path]:
    from llmmigrate.shadow.runs import RUNS

    return [path.parent for path in sorted((root / RUNS).glob(f"*/{VERDICT}"))]


def _tried(folder: Path, console: "Console") -> "Verdict | None":
    try:
        return _verdict(folder)
    except LlmmigrateError as error:
        console.warn(f"left out: {error.what}")
        return None


def _verdict(folder: Path) -> "Verdict":
    import msgspec

    from llmmigrate.rollout.evidence import Verdict
    from llmmigrate.shadow.results import SCHEMA, ComparisonResult
    from llmmigrate.shadow.runs import load_plan

    path = folder / VERDICT
    try:
        found = msgspec.json.decode(path.read_bytes(), type=ComparisonResult)
    except FileNotFoundError:
        fix = f"llmmigrate shadow --resume {folder.name}"
        raise InputError(f"the run {folder.name} has not ended", fix=fix) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError("this is no verdict", where=Location(str(path)), why=str(error)) from None
    if found.schema != SCHEMA:
        raise ConfigError(f"a verdict of another version: '{found.schema[:40]}'", where=Location(str(path)))
    return Verdict(
        source=str(path),
        target=found.target.name,
        url=load_plan(folder).target_url,
        at=found.ended,
        verdict=found.verdict,
        words=found.words,
        exploratory=found.exploratory,
    )


def _audited(path: Path) -> "Iterator[Audited]":
    from llmmigrate.costing.audit.results import load
    from llmmigrate.rollout.evidence import Audited

    audit: Audit = load(path)
    for target in audit.targets:
        yield Audited(
            source=str(path),
            target=target.to,
            at=audit.at,
            calls=audit.total.calls,
            refused=target.verdicts.refused.calls,
            rules=[rule.rule for rule in target.rules if rule.refused],
        )
