"""The pages of `rollout lint`, `rollout emit` and `rollout drill`."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from llmmigrate.reports import Report, numbers
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table
from llmmigrate.rollout.drill.faults import FAULTS
from llmmigrate.rollout.drill.results import Ceiling, Drill, FaultResult, Flip, Latency, Share
from llmmigrate.rollout.emission import Emission
from llmmigrate.rollout.lint import Lint

_LEVELS: Final = {"error": "error", "warning": "warning", "note": "note"}


def lint_report(found: Lint, *, next_step: str | None = None) -> Report:
    """The report of a plan held against reality."""
    return Report(
        document=msgspec.to_builtins(found),
        page=list(_lint_page(found, next_step)),
        records=[msgspec.to_builtins(remark) for remark in found.remarks],
    )


def _lint_page(found: Lint, next_step: str | None) -> Iterator[Block]:
    said = "cannot do what it says" if found.errors else "can do what it says"
    yield Paragraph(f"{found.plan} {said}: {numbers.counted(found.errors, 'error')}.", strong=True)
    if found.traffic is not None:
        rate = found.traffic.requests_per_second
        speed = "at an unknown rate" if rate is None else f"at {rate:.3g} a second"
        yield Paragraph(f"Held against {numbers.counted(found.traffic.calls, 'call')} {speed}.")
    yield from _evidence(found)
    for level, name in _LEVELS.items():
        items = [f"{remark.message} (fix: {remark.fix})" for remark in found.remarks if remark.level == level]
        if items:
            yield Bullets(f"{name}s:" if len(items) > 1 else f"{name}:", items)
    if next_step:
        yield Command(next_step)


def _evidence(found: Lint) -> Iterator[Block]:
    said = [f"shadow: {each.verdict} for {each.target} at {each.at}" for each in found.evidence.verdicts]
    said += [
        f"audit: {numbers.counted(each.refused, 'call')} of {each.calls:,} refused by {each.target}, {each.at}"
        for each in found.evidence.audits
    ]
    if said:
        yield Bullets("Known of the target:", said)


def emission_report(emission: Emission, directory: str, *, next_step: str | None = None) -> Report:
    """The report of emitted files."""
    findings = [finding._asdict() for finding in emission.findings]
    document = {
        "schema": "llmmigrate.emission/1",
        "gateway": emission.gateway,
        "stage": emission.stage,
        "directory": directory,
        "files": sorted(emission.files),
        "config_sha256": emission.config_sha256,
        "findings": findings,
    }
    records = [{**finding, "faults": " ".join(finding["faults"])} for finding in findings]
    return Report(document=document, page=list(_emission_page(emission, directory, next_step)), records=records)


def _emission_page(emission: Emission, directory: str, next_step: str | None) -> Iterator[Block]:
    files = numbers.counted(len(emission.files), "file")
    yield Paragraph(f"{emission.gateway}: {files} in {directory}, stage {emission.stage} in force.", strong=True)
    columns = [Column("Asked for"), Column("Status"), Column("By", drop=1), Column("How", drop=2)]
    asked = [finding for finding in emission.findings if finding.asked_by is not None]
    yield Table(
        columns=columns, rows=[[each.requirement, each.status, each.asked_by or "", each.message] for each in asked]
    )
    limits = [finding for finding in emission.findings if finding.asked_by is None and finding.status != "exact"]
    if limits:
        yield Bullets("Good to know:", [f"{each.requirement}: {each.message}" for each in limits])
    if next_step:
        yield Command(next_step)


def drill_report(drill: Drill, *, next_step: str | None = None) -> Report:
    """The report of a rehearsal."""
    return Report(
        document=msgspec.to_builtins(drill),
        page=list(_drill_page(drill, next_step)),
        records=[_fault_record(drill, fault) for fault in drill.faults],
    )


def _drill_page(drill: Drill, next_step: str | None) -> Iterator[Block]:
    yield Paragraph(_verdict(drill), strong=True)
    yield _fault_table(drill.faults)
    yield Bullets("Measured:", list(_measured(drill)))
    changed = "; ".join(f"{name}: {words}" for name, words in drill.stood_in.items())
    yield Paragraph(f"Stood in for the plan: {changed}. Times to leave a silent provider alone grow with idle_timeout.")
    if next_step:
        yield Command(next_step)


def _verdict(drill: Drill) -> str:
    cut = next((fault.lost for fault in drill.faults if fault.fault == "cut"), 0)
    lost = sum(fault.lost for fault in drill.faults) - cut
    sent = sum(fault.sent for fault in drill.faults)
    streams = f" beside {numbers.counted(cut, 'stream')} cut by the target" if cut else ""
    return f"{drill.gateway} {drill.version}: {lost:,} of {numbers.counted(sent, 'request')} lost{streams}."


def _fault_table(faults: Sequence[FaultResult]) -> Table:
    columns = [
        Column("Fault"),
        Column("Sent", "right", drop=2),
        Column("Lost", "right"),
        Column("Left alone after", "right"),
        Column("Back after", "right", drop=1),
        Column("p99", "right", drop=3),
        Column("Why lost", drop=4),
    ]
    rows = [
        [
            fault.fault,
            numbers.count(fault.sent),
            numbers.count(fault.lost),
            _seconds(fault.left_alone_s, "not seen" if fault.fault not in ("dns", "flap") else numbers.MISSING),
            _seconds(fault.back_s, f"> {fault.watched_s} s" if fault.watched_s > 1 else numbers.MISSING),
            numbers.milliseconds(fault.p99_ms),
            _why(fault),
        ]
        for fault in faults
    ]
    return Table(columns=columns, rows=rows)


def _why(fault: FaultResult) -> str:
    if fault.target_hits == 0:
        return "shows nothing: the target was not tried"
    return ", ".join(f"{why}: {count}" for why, count in fault.failures.items())


def _seconds(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value} s"


def _measured(drill: Drill) -> Iterator[str]:
    if drill.share is not None:
        yield _share_words(drill.share)
    if drill.flip is not None:
        yield _flip_words(drill.flip)
    if drill.latency is not None:
        yield _latency_words(drill.latency)
    if drill.ceiling is not None:
        yield _ceiling_words(drill.ceiling)
    yield from _pace_words(drill)
    yield f"requests with a wrong model name: {drill.wrong_model}, with a wrong key: {drill.wrong_key}"


def _share_words(share: Share) -> str:
    between = f"{numbers.share(share.low)} to {numbers.share(share.high)}"
    return f"share: {numbers.share(share.got)} of {share.requests:,} for 10 % asked (95 %: {between})"


def _flip_words(flip: Flip) -> str:
    lost = f"{flip.lost} of {flip.requests} requests lost, {flip.broken} of {flip.streams} live streams broken"
    return f"flip: last request at the target {flip.last_target_hit_s} s after the order; {lost}"


def _latency_words(latency: Latency) -> str:
    return f"added latency: p50 {latency.added_p50_ms:+} ms, p99 {latency.added_p99_ms:+} ms"


def _ceiling_words(ceiling: Ceiling) -> str:
    return f"answered requests a second: {ceiling.through} through the gateway, {ceiling.direct} without it"


def _pace_words(drill: Drill) -> Iterator[str]:
    """How fast it was sent, where that is less than the gateway's pace or was looked for just before."""
    for fault in drill.faults:
        if fault.rate is not None and fault.carried is not None:
            yield f"{fault.fault}: {fault.rate:g} sent a second; the gateway carried {fault.carried:g} just before"
        elif fault.rate is not None and fault.rate < _wanted(drill, fault):
            yield f"{fault.fault}: {fault.rate:g} sent a second, as the gateway answered so few"


def _wanted(drill: Drill, fault: FaultResult) -> int:
    return min(drill.rate, FAULTS[fault.fault].rate or drill.rate)


def _fault_record(drill: Drill, fault: FaultResult) -> dict[str, object]:
    record = msgspec.to_builtins(fault)
    record["failures"] = "; ".join(f"{why}: {count}" for why, count in fault.failures.items())
    return {"gateway": drill.gateway, "version": drill.version, **record}
