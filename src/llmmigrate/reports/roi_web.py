"""The page of `report` for a browser: four answers on the first screen, then what they rest on, with charts."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from llmmigrate.costing.roi_results import ModelCost, Roi
from llmmigrate.reports import numbers
from llmmigrate.reports.estimate import breakdown, machine_blocks, measured_parts, mix_doubts
from llmmigrate.reports.html.blocks import (
    Bar,
    Bars,
    Card,
    Cards,
    Forest,
    Lines,
    Page,
    Section,
    Series,
    Tone,
    WebBlock,
)
from llmmigrate.reports.roi_tables import (
    NEVER,
    assumed,
    cash_table,
    claim_table,
    headline,
    left_out,
    model_table,
    money,
    money_table,
    payback_of,
    range_of,
    risk_table,
    sensitivity_table,
)
from llmmigrate.reports.shadow_web import interval
from llmmigrate.reports.tables import Bullets, Column, Command, Paragraph, Table

RANGES: Final = {"assumed": "assumed range, nothing was measured", "interval95": "95 %"}
LEVELS: Final[dict[str, tuple[str, Tone]]] = {
    "low": ("Low", "good"),
    "medium": ("Medium", "unsure"),
    "high": ("High", "bad"),
    "not_measured": ("Not measured", "unsure"),
}
MODELS_SHOWN: Final = 20
NAMED: Final = 3
"""Models that the title names."""


def web_page(roi: Roi) -> Page:
    """The page."""
    return Page(title=_title(roi), subtitle=_subtitle(roi), sections=list(_sections(roi)))


def _title(roi: Roi) -> str:
    moves = roi.traffic.moves
    dearest = [part.model for part in roi.models if part.model in moves]
    names = list(dict.fromkeys([*dearest, *moves]))[:NAMED]
    if len(moves) > NAMED:
        names.append(f"{len(moves) - NAMED} more")
    listed = ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + "".join(names[-1:])
    where = "the cheapest allowed targets" if roi.estimate.kind == "mix" else roi.target
    return f"Move {listed or 'this traffic'} to {where}"


def _subtitle(roi: Roi) -> str:
    span = roi.traffic.span
    dates = f", {span.first[:10]} to {span.last[:10]}" if span.first and span.last else ""
    prices = f"prices of {roi.as_of[:10]}" if roi.as_of[:1].isdigit() else f"prices of {roi.as_of}"
    checked = min((table.checked for table in roi.prices.tables if table.checked), default=None)
    since = f", checked {checked}" if checked else ""
    return f"{numbers.counted(roi.traffic.calls, 'call')}{dates} · {prices}{since} · llmmigrate {roi.version}"


def _sections(roi: Roi) -> Iterator[Section]:
    yield Section(title=None, blocks=[_cards(roi), *_next(roi)])
    yield Section(title="What it is worth", blocks=[Paragraph(headline(roi)), money_table(roi)])
    if roi.estimate.kind == "mix":
        yield Section(title="Where each part goes", blocks=[breakdown(roi.estimate), *mix_doubts(roi.estimate)])
    if roi.days:
        yield Section(title="Cost per day", blocks=[_day_chart(roi)])
    if roi.models:
        yield Section(title="Where the money goes", blocks=[*_model_bars(roi), model_table(roi)])
    if roi.estimate.machines is not None:
        yield Section(title="The machines", blocks=list(machine_blocks(roi.estimate, roi.estimate.machines)))
    yield Section(title="Is it as good?", blocks=list(_quality(roi)))
    if roi.cash:
        yield Section(title="Cumulative cash", blocks=[_cash_chart(roi), cash_table(roi)])
    if roi.sensitivity:
        yield Section(title="What would change this", blocks=[sensitivity_table(roi)])
    yield Section(title="What could go wrong", blocks=[Paragraph(_risk_rule(roi)), risk_table(roi)])
    yield Section(title="What the playbooks claim", blocks=[claim_table(roi)])
    yield Section(title="What was left out", blocks=list(left_out(roi)))
    yield Section(title="How this was computed", blocks=list(_method(roi)))


def _cards(roi: Roi) -> Cards:
    return Cards([_saving_card(roi), _payback_card(roi), _risk_card(roi), _next_card(roi)])


def _saving_card(roi: Roi) -> Card:
    month = roi.saving.month
    if month.value is None:
        return Card("Saves each month", "Not told", roi.why_not or "", "unsure")
    value, low = Decimal(month.value), Decimal(month.low or month.value)
    measured = roi.saving.range_kind == "interval95"
    tone: Tone = "bad" if value < 0 else "good" if measured and low > 0 else "plain"
    label = "Saves each month" if value >= 0 else "Costs more each month"
    amount = f"{numbers.money(abs(value))} {roi.currency}"
    return Card(label, amount, f"{RANGES[roi.saving.range_kind]}: {range_of(month)}", tone)


def _payback_card(roi: Roi) -> Card:
    paid = f"{money(roi.terms.one_off_cost.amount)} {roi.currency} once"
    if Decimal(roi.terms.monthly_cost.amount):
        paid += f", {money(roi.terms.monthly_cost.amount)} a month"
    if roi.saving.month.value is None:
        return Card("Pays back in", "Not told", paid, "unsure")
    found = roi.payback
    if found.never or not found.value:
        return Card("Pays back", payback_of(roi), paid, "bad" if found.never else "plain")
    ends = " … ".join(NEVER if part is None else f"{part:,.1f}" for part in (found.low, found.high))
    return Card("Pays back in", f"{found.value:,.1f} months", f"{ends}; {paid}")


def _risk_card(roi: Roi) -> Card:
    word, tone = LEVELS[roi.risk.level]
    found = roi.quality
    answers = "not measured, run shadow"
    if found is not None:
        answers = f"{found.verdict} on {numbers.counted(found.pairs, 'pair')}"
    return Card("Risk", word, f"answers: {answers}; {roi.risk.open} of {len(roi.risks)} risks stand open", tone)


def _next_card(roi: Roi) -> Card:
    words = roi.next.words[:1].upper() + roi.next.words[1:]
    head, _, rest = words.partition(": ")
    return Card("Do next", head, rest)


def _next(roi: Roi) -> Iterator[WebBlock]:
    if roi.next.command:
        yield Command(roi.next.command)


def _day_chart(roi: Roi) -> Lines:
    dated = [day for day in roi.days if day.day is not None]
    now = [_number(day.now) for day in dated]
    then = [_number(day.then) for day in dated]
    kind = "95 % interval" if roi.saving.range_kind == "interval95" else "assumed range"
    return Lines(
        title="Cost per day", unit=f"{roi.currency} a day", steps=[day.day or "" for day in dated],
        series=[
            Series(name="today", style="now", values=now),
            Series(name=f"after, with its {kind}", style="then", values=then),
        ],
        low=[_number(day.low) for day in dated], high=[_number(day.high) for day in dated],
        summary=f"{numbers.counted(len(dated), 'day')}: {_total(now)} {roi.currency} today, {_total(then)} after.",
    )  # fmt: skip


def _total(values: Sequence[float | None]) -> str:
    return numbers.money(Decimal(repr(sum(value for value in values if value is not None))))


def _model_bars(roi: Roi) -> Iterator[WebBlock]:
    shown = [part for part in roi.models if part.now is not None][:MODELS_SHOWN]
    if shown:
        rest = len(roi.models) - len(shown)
        more = f" {numbers.counted(rest, 'model')} more in the table." if rest else ""
        legend = f"{roi.currency} over the log, the dearest models first.{more}"
        yield Bars(rows=[_bar(part) for part in shown], legend=legend)


def _bar(part: ModelCost) -> Bar:
    return Bar(
        name=part.model or "(no model)",
        now=_number(part.now),
        then=_number(part.then),
        figure=f"{money(part.now)} → {money(part.then)}",
    )


def _quality(roi: Roi) -> Iterator[WebBlock]:
    found = roi.quality
    if found is None:
        yield Paragraph("Not measured: no shadow run of these models was found.", kind="warning")
        return
    yield Paragraph(f"{found.verdict}: {found.words}", strong=True)
    rows = [interval(gate, found.exploratory) for gate in found.gates]
    if rows:
        legend = (
            "Each row has a scale of its own. Solid line: the limit, worse lies to its right. Dashed line: where"
            " things stand now. Bar: the interval of the estimate."
        )
        yield Forest(rows=rows, legend=legend)


def _cash_chart(roi: Roi) -> Lines:
    payback = roi.payback.value
    inside = payback is not None and 0 < payback <= roi.cash[-1].month
    mark = (payback or 0.0, f"paid back after {payback:,.1f} months") if inside and payback is not None else None
    end = roi.cash[-1]
    return Lines(
        title="Cumulative cash", unit=roi.currency, steps=[f"month {point.month}" for point in roi.cash],
        series=[Series(name="gained or owed", style="then", values=[_number(point.value) for point in roi.cash])],
        low=[_number(point.low) for point in roi.cash], high=[_number(point.high) for point in roi.cash], mark=mark,
        summary=f"From {money(roi.cash[0].value)} to {money(end.value)} {roi.currency} after {end.month} months.",
    )  # fmt: skip


def _risk_rule(roi: Roi) -> str:
    word, _ = LEVELS[roi.risk.level]
    rule = "High when a risk failed, else not measured when one was not, else medium with a caution, else low."
    return f"{word}: {roi.risk.why}. {rule}"


def _method(roi: Roi) -> Iterator[WebBlock]:
    yield Bullets("Assumed:", assumed(roi))
    yield from measured_parts(roi.estimate)
    yield Paragraph(f"A month: {roi.projection.method}.")
    yield Command(roi.command)
    columns = [Column("Price table"), Column("Checked"), Column("SHA-256")]
    rows = [[table.provider, table.checked or "not known", table.sha256[:16]] for table in roi.prices.tables]
    yield Table(columns=columns, rows=rows)
    files = [Column("Log"), Column("Bytes", "right"), Column("SHA-256")]
    yield Table(columns=files, rows=[[s.path, numbers.count(s.bytes), s.sha256[:16]] for s in roi.sources])
    yield Paragraph("Every figure of this page is in the JSON (llmmigrate.roi/1) of the same command.")


def _number(amount: str | None) -> float | None:
    return None if amount is None else float(amount)
