"""The words and tables of an ROI report, for every page that shows it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from llmmigrate.costing.roi_results import Change, Figure, Roi
from llmmigrate.reports import numbers
from llmmigrate.reports.analysis import exchange_words, lines_words, unpriced_bullets
from llmmigrate.reports.estimate import assumption_words, tolerance_words
from llmmigrate.reports.tables import Block, Column, Paragraph, Table

STATUSES: Final = {
    "ok": "ok",
    "caution": "caution",
    "failed": "FAILED",
    "not_measured": "not measured",
    "not_applicable": "does not apply",
}
RANGES: Final = {"assumed": "assumed range", "interval95": "95 %"}
NEVER: Final = "never"
CASH_STEP: Final = 6
"""Months between two rows of the cash table."""


def headline(roi: Roi) -> str:
    """Line 1: what is saved a month, with its range; over the log where a month cannot be told."""
    saving = roi.saving
    if saving.month.value is None:
        return f"{_over_the_log(roi)}; a month is not told: {roi.why_not}."
    value = Decimal(saving.month.value)
    share = f"{numbers.share(saving.month_share)} of today's cost"
    if value < 0:
        return f"No saving: {roi.target} would cost {numbers.money(-value)} {roi.currency} a month more; {_ends(roi)}."
    return f"{roi.target} saves {numbers.money(value)} {roi.currency} a month ({share}); {_ends(roi)}."


def _ends(roi: Roi) -> str:
    return f"{RANGES[roi.saving.range_kind]} {range_of(roi.saving.month)}"


def _over_the_log(roi: Roi) -> str:
    log = roi.saving.log
    if log.value is None:
        return f"What {roi.target} would save is not known"
    value = Decimal(log.value)
    verb = "saves" if value >= 0 else "would cost"
    more = "" if value >= 0 else " more"
    return f"{roi.target} {verb} {numbers.money(abs(value))} {roi.currency}{more} over the log"


def payback_words(roi: Roi) -> str:
    """Line 2: when what was paid is back."""
    paid = f"{numbers.money(Decimal(roi.terms.one_off_cost.amount))} {roi.currency} once"
    monthly = Decimal(roi.terms.monthly_cost.amount)
    if monthly:
        paid += f" and {numbers.money(monthly)} a month"
    if roi.saving.month.value is None:
        return f"Payback of {paid}: not told."
    return f"Pays back {paid}: {payback_of(roi)}."


def payback_of(roi: Roi) -> str:
    """The payback as a time with its ends."""
    found = roi.payback
    if found.never:
        return NEVER
    if found.value is None:
        return numbers.MISSING
    if not found.value:
        return "at once"
    ends = " … ".join(NEVER if part is None else f"{part:,.1f}" for part in (found.low, found.high))
    return f"after {found.value:,.1f} months ({ends})"


def risk_words(roi: Roi) -> str:
    """Line 3: the risk in one word, and why."""
    word = STATUSES.get(roi.risk.level, roi.risk.level)
    return f"Risk: {word}: {roi.risk.why}."


def money_table(roi: Roi) -> Table:
    """What is paid and saved, with ranges."""
    running = money(roi.terms.monthly_cost.amount)
    rows = [
        ["today, a month", *_cells(Figure(value=roi.now.cost, low=roi.now.low, high=roi.now.high))],
        ["with the move, a month", *_cells(Figure(value=roi.then.cost, low=roi.then.low, high=roi.then.high))],
        *([["what runs beside it, a month", running, ""]] if Decimal(roi.terms.monthly_cost.amount) else []),
        ["saving a month", *_cells(roi.saving.month)],
        ["saving a year", *_cells(roi.saving.year)],
        [f"net after {roi.terms.horizon_months} months", *_cells(roi.net)],
        [f"present value at {roi.terms.discount_per_year:.1%} a year".replace("%", " %"), *_cells(roi.npv)],
        ["net after 5 years", *_cells(roi.five_year_net)],
    ]
    share, calls = roi.break_even.traffic_share, roi.break_even.calls_per_month
    volume = numbers.MISSING if share is None else f"{share:,.2f} × today"
    footer = [["break-even volume", volume, "" if calls is None else f"{calls:,} calls a month"]]
    columns = [Column("Money"), Column(roi.currency, "right"), Column("Range", "right", drop=0)]
    return Table(columns=columns, rows=rows, footer=footer)


def _cells(figure: Figure) -> list[str]:
    return [money(figure.value), range_of(figure)]


def money(amount: str | None) -> str:
    """An amount for people."""
    return numbers.money(None if amount is None else Decimal(amount))


def range_of(figure: Figure) -> str:
    """The ends of a figure; nothing where it has none."""
    if figure.low is None or figure.high is None:
        return numbers.MISSING
    return f"{money(figure.low)} … {money(figure.high)}"


def months(number: float | None) -> str:
    """A payback in a table."""
    return NEVER if number is None else f"{number:,.1f}"


def sensitivity_table(roi: Roi) -> Table:
    """One thing at a time turning out otherwise."""
    columns = [
        Column("What if"),
        Column("By"),
        Column("Saving a month", "right"),
        Column("Payback, months", "right", drop=1),
        Column("Present value", "right", drop=0),
    ]
    return Table(columns=columns, rows=[_change_row(change) for change in roi.sensitivity])


def _change_row(change: Change) -> list[str]:
    return [change.name, change.change, money(change.month), months(change.payback_months), money(change.npv)]


def cash_table(roi: Roi) -> Table:
    """What is gained or owed after each half year."""
    columns = [Column("After month", "right"), Column("Gained or owed", "right"), Column("Range", "right", drop=0)]
    last = roi.cash[-1].month
    shown = [point for point in roi.cash if point.month % CASH_STEP == 0 or point.month == last]
    rows = [
        [str(point.month), money(point.value), range_of(Figure(value=point.value, low=point.low, high=point.high))]
        for point in shown
    ]
    return Table(columns=columns, rows=rows)


def model_table(roi: Roi) -> Table:
    """The cost of each model over the log."""
    columns = [
        Column("Over the log"),
        Column("Calls", "right", drop=0),
        Column("Now", "right"),
        Column("Then", "right"),
    ]
    rows = [
        [part.model or "(no model)", numbers.count(part.calls), money(part.now), money(part.then)]
        for part in roi.models
    ]
    return Table(columns=columns, rows=rows)


def gate_table(roi: Roi) -> Table:
    """The gates of the shadow run."""
    quality = roi.quality
    assert quality is not None
    columns = [Column("Gate"), Column("Limit"), Column("Measured", "right"), Column("Interval", "right", drop=0),
               Column("Result")]  # fmt: skip
    rows = [
        [
            gate.key,
            gate.limit,
            _plain(gate.estimate),
            f"{_plain(gate.low)} … {_plain(gate.high)}",
            gate.result,
        ]
        for gate in quality.gates
    ]
    return Table(columns=columns, rows=rows, title=f"Is it as good? {quality.verdict}: {quality.words}")


def _plain(number: float | None) -> str:
    return numbers.MISSING if number is None else f"{number:,.4g}"


def risk_table(roi: Roi) -> Table:
    """The risk register."""
    columns = [
        Column("Risk"),
        Column("Status"),
        Column("What is known"),
        Column("Likelihood claimed", "right", drop=2),
        Column("Impact", drop=1),
        Column("Against it", drop=0),
    ]
    rows = [
        [
            risk.risk, STATUSES[risk.status], risk.words, risk.likelihood or numbers.MISSING, risk.impact,
            risk.mitigation,
        ]
        for risk in roi.risks
    ]  # fmt: skip
    return Table(columns=columns, rows=rows)


def claim_table(roi: Roi) -> Table:
    """The playbooks' claims against this log."""
    columns = [
        Column("Claim of a playbook"),
        Column("Claimed", "right", drop=0),
        Column("This log", "right"),
        Column("Holds", drop=1),
    ]
    rows = [[claim.claim, claim.claimed, claim.found or "not told", _holds(claim.holds)] for claim in roi.claims]
    return Table(columns=columns, rows=rows)


def _holds(holds: bool | None) -> str:
    return "not told" if holds is None else "yes" if holds else "no"


def assumed(roi: Roi) -> list[str]:
    """Everything that the figures take for granted."""
    terms = roi.terms
    growth = f"traffic grows by {terms.growth_per_month:.1%} a month".replace("%", " %")
    costs = [
        f"{name}: {paid.given}{f' at {paid.rate}' if paid.rate else ''}"
        for name, paid in (("one-off cost", terms.one_off_cost), ("monthly cost", terms.monthly_cost))
        if paid.given
    ]
    return [
        *(assumption_words(entry) for entry in roi.estimate.assumptions),
        f"the range: {roi.saving.range_words}",
        growth if terms.growth_per_month else "the traffic stays as it is",
        *costs,
    ]


def left_out(roi: Roi) -> Iterator[Block]:
    """What the figures do not speak for."""
    yield Paragraph(tolerance_words(roi.estimate))
    if roi.unpriced:
        yield unpriced_bullets(roi.unpriced)
    held = roi.estimate.cannot_hold
    if held.calls:
        yield Paragraph(
            f"{numbers.counted(held.calls, 'call')} do not fit the target's context window"
            f" ({numbers.share(held.spend_share)} of today's spend).", kind="warning",
        )  # fmt: skip
    exchanged = exchange_words(roi.prices)
    if exchanged:
        yield Paragraph(exchanged)
    yield Paragraph(f"{lines_words(roi.lines)}. Rates of {roi.as_of}, on both sides. Month: {roi.projection.method}.")
