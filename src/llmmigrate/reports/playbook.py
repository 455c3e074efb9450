"""The page of the playbook's GPU table."""

from collections.abc import Iterator

import msgspec

from llmmigrate.reports import Report, numbers
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table
from llmmigrate.serving.results import Playbook, PlaybookDevice


def report(found: Playbook, *, next_step: str | None = None) -> Report:
    """The report of the table."""
    return Report(
        document=msgspec.to_builtins(found),
        page=list(_page(found, next_step)),
        records=[msgspec.to_builtins(device) for device in found.devices],
    )


def _page(found: Playbook, next_step: str | None) -> Iterator[Block]:
    yield Paragraph("The playbook's settings for GLM-5, as published: a claim, not a plan.", strong=True)
    columns = [
        Column("Device"),
        Column("Max batch", "right"),
        Column("Tensor parallel", "right"),
        Column("Precision", drop=5),
        Column("Cache", drop=4),
        Column("Flash attention", drop=3),
        Column("Batch delay", "right", drop=2),
        Column("Other", drop=1),
    ]
    yield Table(columns=columns, rows=[_row(device) for device in found.devices])
    settings = ", ".join(f"{name} {value}" for name, value in found.generation.items())
    yield Paragraph(f"Generation: {settings}.")
    yield Bullets("What the planner says to GLM-5 there:", [words for item in found.devices for words in item.verdicts])
    if next_step:
        yield Command(next_step)


def _row(device: PlaybookDevice) -> list[str]:
    return [
        device.device,
        numbers.count(device.max_batch),
        numbers.count(device.tensor_parallel),
        device.precision,
        device.kv_precision,
        "yes" if device.flash_attention else "no",
        numbers.MISSING if device.batch_delay_ms is None else f"{device.batch_delay_ms} ms",
        device.other or numbers.MISSING,
    ]
