"""The page of `estimate`: the saving, the tolerance, the ranked table, the assumptions in words, one next step."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from llmmigrate.costing.measurements import RatioUsed
from llmmigrate.costing.potential import MachinePlan, PrefixCaching
from llmmigrate.costing.results import AssumptionResult, Estimate, EstimateTarget, TargetGroup
from llmmigrate.reports import Report, numbers
from llmmigrate.reports.analysis import exchange_words, lines_words, unpriced_bullets
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table

TARGETS_SHOWN: Final = 10
REFUSALS_SHOWN: Final = 12
NAMES: Final = {
    "token_ratio": "tokens at the target per token now",
    "input_ratio": "input tokens at the target per input token now",
    "output_ratio": "output tokens at the target per output token now",
    "reasoning_ratio": "reasoning tokens at the target per token now",
    "cached_share": "share of the input read from the target's cache",
    "gpu_hour": "a GPU for an hour, USD",
    "output_per_second": "output tokens a second of one machine",
    "machines": "machines",
    "hours": "hours that are paid",
    "verbosity": "length of answers, times that of now",
    "reasoning": "hidden reasoning, times that of now",
    "cache": "cache",
    "cache_share": "cached share of the input",
    "batch_share": "share by batch",
    "share": "share that moves",
}

RANGES: Final = {"assumed": "assumed range", "interval95": "95 % interval"}


def report(estimate: Estimate, *, next_step: str | None = None, limit: int = TARGETS_SHOWN) -> Report:
    """The report of an estimate."""
    return Report(document=msgspec.to_builtins(estimate), page=list(_page(estimate, next_step, limit)),
                  records=[_record(target) for target in estimate.targets])  # fmt: skip


def _page(estimate: Estimate, next_step: str | None, limit: int) -> Iterator[Block]:
    moves = [target for target in estimate.targets if target.kind != "stay"]
    stays = [target for target in estimate.targets if target.kind == "stay"]
    mixes = [target for target in moves if target.kind == "mix"]
    best = next(iter(mixes or moves), None)  # a single target may be refused for a part of the traffic
    yield Paragraph(headline(estimate, best), strong=True)
    if best is not None:
        yield Paragraph(tolerance_words(best))
    yield _table(estimate, moves, limit)
    if stays:
        yield _stay_table(estimate, stays)
    yield from _details(estimate, mixes or moves[:limit])
    if best is not None:
        yield Bullets("Assumed:", [assumption_words(entry) for entry in best.assumptions])
        yield from measured_parts(best)
    yield from _doubts(estimate, moves[:limit])
    yield Paragraph(f"{lines_words(estimate.lines)}. Rates of {estimate.as_of}, on both sides.")
    exchanged = exchange_words(estimate.prices)
    if exchanged:
        yield Paragraph(exchanged)
    yield Paragraph("Grades of the rates: A the vendor says so, B two tables agree, C one table or a claim.")
    yield Paragraph("Cost only: whether the answers are as good is not measured here.", kind="note")
    if next_step:
        yield Command(next_step)


def _details(estimate: Estimate, broken_down: list[EstimateTarget]) -> Iterator[Block]:
    """Rows by groups of the traffic, the machines, and what a prefix cache could serve."""
    for target in broken_down:
        if target.groups:
            yield breakdown(target)
    for target in estimate.targets:
        if target.machines is not None:
            yield from machine_blocks(target, target.machines)
    if estimate.caching is not None:
        yield from _caching(estimate.caching)


def headline(estimate: Estimate, best: EstimateTarget | None) -> str:
    """Line 1: the saving per month with its range, or over the log where a month cannot be projected."""
    if best is None:
        return "No target can be priced for this traffic."
    if best.saving is None:
        return f"The cost today is unknown; at {best.to} this log costs {_range(best)} {best.currency}."
    if Decimal(best.saving) < 0:
        more = numbers.money(-Decimal(best.saving))
        return f"No saving: {best.to} would cost {more} {best.currency} more than now ({_share(best, -1)})."
    month = best.month_saving
    if month is not None and month.cost is not None:
        low, high = (numbers.money(Decimal(part)) for part in (month.low or "0", month.high or "0"))
        per_month = f"{numbers.money(Decimal(month.cost))} {best.currency} a month ({_share(best)})"
        return f"{best.to} saves {per_month}; {RANGES[best.range_kind]} {low} … {high}."
    span = f" in {numbers.days(estimate.span.days)}" if estimate.span.days else ""
    saved = f"{numbers.money(Decimal(best.saving))} {best.currency}{span} ({_share(best)})"
    return f"{best.to} saves {saved}; {_why(estimate)}."


def _why(estimate: Estimate) -> str:
    return (estimate.projection.why or "no projection").rstrip(".")


def _share(target: EstimateTarget, sign: int = 1) -> str:
    return numbers.share(None if target.saving_share is None else sign * target.saving_share)


def times(factor: float | None) -> str:
    """A tolerance with two decimals: it matters on which side of 1 it is."""
    return numbers.MISSING if factor is None else f"{factor:,.2f} ×"


def tolerance_words(best: EstimateTarget) -> str:
    """Line 2: how wrong the token count may be."""
    if best.machines is not None:
        return "Its cost stays the same, whatever the tokens, until the traffic needs more machines."
    if best.tolerance is None:
        return "How many more tokens the target may need cannot be said without today's cost."
    if best.tolerance == 0:
        return "Dearer whatever the tokens: what it charges by the piece alone is more than today's cost."
    if best.tolerance < 1:
        return f"It would be cheaper only if it needed less than {times(best.tolerance)} the tokens."
    return f"Still cheaper unless the target needs {times(best.tolerance)} the tokens."


def _stay_table(estimate: Estimate, stays: list[EstimateTarget]) -> Table:
    columns = [Column("Without moving"), Column(estimate.current.currency, "right"), Column("Saving", "right", drop=2),
               Column("%", "right", drop=1)]  # fmt: skip
    rows = [[stay.to, *_row(stay)[1:2], *_row(stay)[3:5]] for stay in stays]
    return Table(columns=columns, rows=rows)


def _table(estimate: Estimate, targets: list[EstimateTarget], limit: int) -> Table:
    currency = estimate.current.currency
    columns = [
        Column("Target"),
        Column(currency, "right"),
        Column(_range_title(targets), "right", drop=4),
        Column("Saving", "right", drop=6),
        Column("%", "right", drop=5),
        Column("Tolerance", "right", drop=3),
        Column("Cannot hold", "right", drop=2),
        Column("Unpriced there", "right", drop=0),
        Column("Grade", drop=1),
    ]
    rows = [_row(target) for target in targets[:limit]]
    if len(targets) > limit:
        rows.append([f"… {len(targets) - limit} more", *[""] * 8])
    now = "unknown" if estimate.current.cost is None else numbers.money(Decimal(estimate.current.cost))
    footer = ["now", now, *[""] * 7]
    return Table(columns=columns, rows=rows, footer=[footer])


def _range_title(targets: list[EstimateTarget]) -> str:
    kinds = {target.range_kind for target in targets}
    words = RANGES[kinds.pop()] if len(kinds) == 1 else "range"
    return words[:1].upper() + words[1:]


def _row(target: EstimateTarget) -> list[str]:
    saving = None if target.saving is None else Decimal(target.saving)
    stranded = target.unpriced_there
    return [
        target.to,
        numbers.money(Decimal(target.cost)),
        _range(target),
        numbers.money(saving),
        _share(target),
        times(target.tolerance),
        _held(target),
        numbers.count(stranded.calls) if stranded else "0",
        target.grade or numbers.MISSING,
    ]


def _held(target: EstimateTarget) -> str:
    held = target.cannot_hold
    if held.calls is None:
        return numbers.MISSING
    return "0" if not held.calls else f"{numbers.count(held.calls)} ({numbers.share(held.spend_share)})"


def _range(target: EstimateTarget) -> str:
    return f"{numbers.money(Decimal(target.low))} … {numbers.money(Decimal(target.high))}"


def breakdown(target: EstimateTarget) -> Table:
    """A row by groups of the traffic; of a mix, where each goes."""
    names = list(target.groups[0].key)
    columns = [
        *(Column(name.removeprefix("tag.").replace("_", " ").capitalize()) for name in names),
        *([Column("Goes to")] if target.kind == "mix" else []),
        Column("Calls", "right", drop=1),
        Column("Now", "right"),
        Column("There", "right"),
        *([Column("Saves", "right")] if target.kind == "mix" else []),
    ]
    rows = [_group_row(group, names, target.kind) for group in target.groups]
    return Table(columns=columns, rows=rows, title=target.to)


def _group_row(group: TargetGroup, names: list[str], kind: str) -> list[str]:
    now = "unknown" if group.current is None else numbers.money(Decimal(group.current))
    keys = [group.key[name] or "(none)" for name in names]
    figures = [numbers.count(group.calls), now, numbers.money(Decimal(group.cost))]
    if kind != "mix":
        return [*keys, *figures]
    saves = numbers.MISSING if group.current is None else numbers.money(Decimal(group.current) - Decimal(group.cost))
    return [*keys, group.to, *figures, saves]


def _caching(found: PrefixCaching) -> Iterator[Block]:
    """What a prefix cache could serve at most, by how long it keeps what was read."""
    now = numbers.share(found.cached_now / found.input_tokens)
    yield Paragraph(
        f"Prefix caching, from {found.basis} of {numbers.counted(found.calls, 'call')} with"
        f" {numbers.share(found.input_share)} of the input: at most this part of it begins as an earlier call did;"
        f" {now} was read from a cache. To reckon with a part: --cache N%."
    )
    columns = [Column("A cache that forgets after"), Column("Tokens", "right"), Column("% of input", "right")]
    rows = [[_kept(row.seconds), numbers.count(row.tokens), numbers.share(row.share)] for row in found.kept]
    yield Table(columns=columns, rows=rows)


def _kept(seconds: int | None) -> str:
    return "never" if seconds is None else numbers.milliseconds(seconds * 1000)


def machine_blocks(target: EstimateTarget, plan: MachinePlan) -> Iterator[Block]:
    """What machines cost at how much work, against today."""
    machines = f"{plan.machines:,} × {plan.gpus:,} {plan.hardware}"
    hour = f"{numbers.money(Decimal(plan.hour_cost))} {target.currency} an hour"
    yield Paragraph(
        f"{target.to}: {machines} for {hour}, {numbers.money(Decimal(plan.month_cost))} a month."
        f" The busiest quarter of an hour ({plan.peak_at}) asks for {plan.peak_output_per_second:,.1f} output tokens a"
        f" second, {numbers.share(plan.peak_utilisation)} of what they make; the mean is"
        f" {numbers.share(plan.mean_utilisation)}."
    )  # fmt: skip
    columns = [Column("Busy", "right"), Column(f"{target.currency} per 1M tokens", "right")]
    rows = [[numbers.share(row.utilisation), numbers.money(Decimal(row.per_million))] for row in plan.table]
    now = "unknown" if plan.now_per_million is None else numbers.money(Decimal(plan.now_per_million))
    yield Table(columns=columns, rows=rows, footer=[["now", now]], title=target.to)
    yield Paragraph(_break_even_words(plan))
    if plan.input_per_second is None:
        yield Paragraph(
            "How fast these machines read input is not published: they are sized by the output alone.", kind="warning"
        )


def _break_even_words(plan: MachinePlan) -> str:
    needed = plan.break_even_utilisation
    if needed is None:
        return "What tokens cost today is unknown: there is nothing to hold the machines against."
    if needed > 1:
        return f"Even fully busy they cost {times(needed)} as much a token as today."
    return f"They are cheaper than today when busy for more than {numbers.share(needed)} of the time."


def assumption_words(entry: AssumptionResult) -> str:
    """One assumption as a line."""
    name = NAMES.get(entry.name, entry.name.replace("_", " "))
    kind = RANGES["interval95" if entry.source == "measured" else "assumed"]
    span = f" ({kind} {entry.low} … {entry.high})" if entry.low is not None and entry.high is not None else ""
    why = f": {entry.why}" if entry.why else ""
    return f"{name} {entry.value}{span}{why}"


def _doubts(estimate: Estimate, shown: list[EstimateTarget]) -> Iterator[Block]:
    for target in shown:
        yield from _calibration_doubts(target)
        if target.kind == "mix":
            yield from mix_doubts(target)
        if target.unpriced_there is not None:
            why = ", ".join(f"{reason.replace('_', ' ')}: {n}" for reason, n in target.unpriced_there.reasons.items())
            missing = f"{target.to} has no rate for {numbers.counted(target.unpriced_there.calls, 'call')}"
            yield Paragraph(f"{missing} ({why}); they stay where they are.", kind="note")
    if estimate.unpriced:
        yield unpriced_bullets(estimate.unpriced)


def measured_parts(target: EstimateTarget) -> Iterator[Block]:
    """The ratios that were measured, of all calls and of each part of the traffic that had enough of them."""
    for used in target.calibrations:
        columns = [Column(f"Measured on {used.source}"), Column("Draws", "right", drop=0), Column("Input", "right"),
                   Column("Output", "right")]  # fmt: skip
        rows = [_measured_row(name, ratios) for name, ratios in ((part.name, part.ratios) for part in used.strata)]
        if rows:
            title = f"Tokens of {used.target} for each token now, with the 95 % interval (~ approximate)"
            yield Table(columns=columns, rows=[_measured_row("all calls", used.ratios), *rows], title=title)


def _measured_row(name: str, ratios: list[RatioUsed]) -> list[str]:
    found = {ratio.kind: ratio for ratio in ratios}
    draws = max((ratio.draws for ratio in ratios), default=0)
    return [name, numbers.count(draws), *(_measured(found.get(kind)) for kind in ("input", "output"))]


def _measured(ratio: RatioUsed | None) -> str:
    if ratio is None:
        return numbers.MISSING
    doubt = " ~" if ratio.approximate else ""
    return f"{ratio.ratio:,.2f} ({ratio.low:,.2f} … {ratio.high:,.2f}){doubt}"


def mix_doubts(target: EstimateTarget) -> Iterator[Block]:
    """Where a cheaper target may not be had, and for how many calls nobody could ask."""
    lines = [
        f"{_key_words(group)}: not {name}, {why}" for group in target.groups for name, why in group.refused.items()
    ]
    if lines:
        more = [f"… {len(lines) - REFUSALS_SHOWN} more"] if len(lines) > REFUSALS_SHOWN else []
        yield Bullets("Cheaper, but not allowed:", [*lines[:REFUSALS_SHOWN], *more])
    unseen = sum(group.not_audited or 0 for group in target.groups)
    if unseen:
        words = "move without an audit: the log does not hold their whole requests"
        yield Paragraph(f"{target.to}: {numbers.counted(unseen, 'call')} {words}.", kind="note")


def _key_words(group: TargetGroup) -> str:
    return ", ".join(value or "(none)" for value in group.key.values())


def _calibration_doubts(target: EstimateTarget) -> Iterator[Block]:
    """What a reader of an interval has to know of its calibration."""
    for used in target.calibrations:
        if used.verdict is not None and used.verdict != "PASS":
            yield Paragraph(f"{target.to}: the calibration is of a run that ended {used.verdict}.", kind="note")
        if used.approximate:
            words = "single calls differ so much in their ratio that the 95 % interval is approximate"
            yield Paragraph(f"{target.to}: {words}.", kind="note")
    if target.calibrations and target.range_kind == "assumed":
        words = "calibrated for a part of the models that move; the range is assumed for the others"
        yield Paragraph(f"{target.to}: {words}.", kind="note")


def _record(target: EstimateTarget) -> dict[str, Any]:
    stranded = target.unpriced_there
    return {
        "to": target.to, "kind": target.kind, "currency": target.currency, "calls": target.calls, "cost": target.cost,
        "low": target.low, "high": target.high, "range_kind": target.range_kind, "saving": target.saving,
        "saving_share": target.saving_share, "tolerance": target.tolerance,
        "cannot_hold_calls": target.cannot_hold.calls, "unpriced_there_calls": stranded.calls if stranded else 0,
    }  # fmt: skip
