"""The page of `report`: the saving, the payback, the risk and the next step, then what they rest on."""

from collections.abc import Iterator
from typing import Any

import msgspec

from llmmigrate.costing.roi_results import Roi
from llmmigrate.reports import Report
from llmmigrate.reports.estimate import breakdown, machine_blocks, measured_parts, mix_doubts
from llmmigrate.reports.roi_tables import (
    assumed,
    cash_table,
    claim_table,
    gate_table,
    headline,
    left_out,
    model_table,
    money_table,
    payback_words,
    risk_table,
    risk_words,
    sensitivity_table,
)
from llmmigrate.reports.roi_web import web_page
from llmmigrate.reports.tables import Block, Bullets, Command, Paragraph


def report(roi: Roi) -> Report:
    """The report about one move."""
    return Report(
        document=msgspec.to_builtins(roi), page=list(_page(roi)), records=list(_records(roi)), web=web_page(roi)
    )


def _page(roi: Roi) -> Iterator[Block]:
    yield Paragraph(headline(roi), strong=True)
    yield Paragraph(payback_words(roi))
    yield Paragraph(risk_words(roi))
    yield Paragraph(f"Next: {roi.next.words}.")
    if roi.next.command:
        yield Command(roi.next.command)
    yield money_table(roi)
    if roi.estimate.kind == "mix":
        yield breakdown(roi.estimate)
        yield from mix_doubts(roi.estimate)
    if roi.sensitivity:
        yield sensitivity_table(roi)
    if roi.cash:
        yield cash_table(roi)
    if roi.models:
        yield model_table(roi)
    if roi.estimate.machines is not None:
        yield from machine_blocks(roi.estimate, roi.estimate.machines)
    if roi.quality is not None:
        yield gate_table(roi)
    yield risk_table(roi)
    yield claim_table(roi)
    yield Bullets("Assumed:", assumed(roi))
    yield from measured_parts(roi.estimate)
    yield from left_out(roi)


def _records(roi: Roi) -> Iterator[dict[str, Any]]:
    """Every table, one row a line; `table` tells which."""
    yield from ({"table": "model", **msgspec.to_builtins(part)} for part in roi.models)
    yield from ({"table": "day", **msgspec.to_builtins(part)} for part in roi.days)
    yield from ({"table": "cash", **msgspec.to_builtins(point)} for point in roi.cash)
    yield from ({"table": "sensitivity", **msgspec.to_builtins(change)} for change in roi.sensitivity)
    yield from ({"table": "gate", **msgspec.to_builtins(gate)} for gate in (roi.quality.gates if roi.quality else []))
    yield from ({"table": "risk", **msgspec.to_builtins(risk)} for risk in roi.risks)
    yield from ({"table": "claim", **msgspec.to_builtins(claim)} for claim in roi.claims)
