"""The pages of `rollout status` and `rollout run --dry-run`."""

from collections.abc import Iterator, Sequence

import msgspec

from llmmigrate.reports import Report, numbers
from llmmigrate.reports.tables import Block, Bullets, Column, Paragraph, Table
from llmmigrate.rollout.emitted import edited
from llmmigrate.rollout.plan import Plan
from llmmigrate.rollout.proof import kind_of
from llmmigrate.rollout.state import instant
from llmmigrate.rollout.status import Status
from llmmigrate.rollout.walk import Step


def status_report(found: Status) -> Report:
    """The report of where a rollout stands."""
    document = msgspec.to_builtins(found)
    return Report(document=document, page=list(_page(found)), records=found.journal)


def timetable_report(plan: Plan, steps: Sequence[Step]) -> Report:
    """The report of what `rollout run` would do."""
    columns = [Column("Stage"), Column("Share", "right"), Column("From"), Column("Until"), Column("Attempts", "right")]
    rows = [
        [
            step.stage,
            numbers.share(step.share),
            instant(step.starts),
            instant(step.ends) if step.ends is not None else "stays",
            numbers.count(step.min_requests) if step.min_requests else numbers.MISSING,
        ]
        for step in steps
    ]
    words = f"{plan.name}: {numbers.counted(len(steps), 'stage')}, at the earliest. Nothing was changed."
    return Report(document={}, page=[Paragraph(words, strong=True), Table(columns=columns, rows=rows)])


def _page(found: Status) -> Iterator[Block]:
    yield Paragraph(_headline(found), strong=True)
    if found.due is not None:
        yield Paragraph(f"{found.due}: take it again, or llmmigrate rollback.", kind="warning")
    elif found.stage is not None and found.stage_in_file != found.stage:
        held = found.stage_in_file or "no stage of the plan"
        yield Paragraph(
            f"the gateway's file is that of {held}: a change did not finish; take the stage again.", kind="warning"
        )
    for words in found.damaged:
        yield Paragraph(words, kind="warning")
    if found.differs:
        yield Paragraph(f"{edited(found.differs)}: emit again; the gateway goes by what was emitted.", kind="warning")
    yield Bullets("State:", list(_items(found)))
    if found.journal:
        yield _journal(found)


def _headline(found: Status) -> str:
    if found.stage is None:
        unknown = "no stage is in force yet" if found.due is None else "which stage is in force cannot be told"
        return f"{found.plan}: {unknown}{_lock_words(found)}."
    share = numbers.share(float(found.share)) if found.share is not None else "an unknown part"
    return f"{found.plan}: {found.stage} since {found.since}, {share} to the target{_lock_words(found)}."


def _lock_words(found: Status) -> str:
    return f"; locked since {found.lock.at} ({found.lock.by}: {found.lock.reason})" if found.lock else ""


def _items(found: Status) -> Iterator[str]:
    yield f"gateway: {found.gateway} in {found.directory}"
    proof = found.verified
    if proof is None:
        yield "drill: none"
    else:
        which = "of this configuration" if found.verified_is_current else "of another configuration"
        passed = "passed" if proof.passed else "lost requests"
        yield f"{kind_of(proof)} on {proof.version} at {proof.at} {which}: {passed}"
    if found.watch is None:
        yield "watch: has said nothing yet"
    else:
        why = f": {'; '.join(found.watch.reasons)}" if found.watch.reasons else ""
        yield f"watch: {found.watch.verdict} at {found.watch.at}, streak {found.watch.streak}{why}"


def _journal(found: Status) -> Table:
    columns = [
        Column("At"),
        Column("Event"),
        Column("From", drop=2),
        Column("To"),
        Column("By", drop=3),
        Column("Reason"),
    ]
    keys = ("at", "event", "from", "to", "by", "reason")
    rows = [[str(line.get(key) or "") for key in keys] for line in found.journal]
    return Table(columns=columns, rows=rows, title="Journal")
