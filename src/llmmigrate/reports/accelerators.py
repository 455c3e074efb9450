"""The page of `accelerators`."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from llmmigrate.reports import Report, numbers
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table
from llmmigrate.serving.accelerators import Device
from llmmigrate.serving.results import AcceleratorList

GIB = 1 << 30
UNKNOWN = "unknown"


def report(found: AcceleratorList, *, next_step: str | None = None) -> Report:
    """The report of what was found."""
    return Report(
        document=msgspec.to_builtins(found),
        page=list(_page(found, next_step)),
        records=[msgspec.to_builtins(device) for device in found.devices],
    )


def gibibytes(size: int | None) -> str:
    """A memory size: `139.8 GiB`; small ones in MiB."""
    if size is None:
        return UNKNOWN
    return f"{size / GIB:,.1f} GiB" if size >= GIB // 10 else f"{size / (1 << 20):,.1f} MiB"


def _page(found: AcceleratorList, next_step: str | None) -> Iterator[Block]:
    cards = [device for device in found.devices if device.platform != "cpu"]
    yield Paragraph(_headline(cards), strong=True)
    yield _table(found.devices)
    hidden = Counter(device.hidden_by for device in cards if device.hidden_by is not None)
    for variable, count in hidden.items():
        yield Paragraph(f"{variable} keeps processes from {numbers.counted(count, 'device')}.", kind="note")
    if found.problems:
        yield Bullets("Could not be asked:", found.problems)
    if next_step:
        yield Command(next_step)


def _headline(cards: list[Device]) -> str:
    """`8 × NVIDIA H200, 1,126.5 GiB.`, one part a kind of card."""
    if not cards:
        return "No accelerator found; the processor is all there is."
    kinds = Counter(device.name or f"{device.platform} device" for device in cards)
    sizes = [device.memory_bytes for device in cards if device.memory_bytes is not None]
    total = f"{gibibytes(sum(sizes))} together" if len(sizes) == len(cards) else "memory not fully known"
    return f"{', '.join(f'{count} × {name}' for name, count in kinds.items())}; {total}."


def _table(devices: list[Device]) -> Table:
    columns = [
        Column("#", "right"),
        Column("Device"),
        Column("Memory", "right"),
        Column("Free", "right"),
        Column("Driver", drop=2),
        Column("Architecture", drop=3),
        Column("Bus", drop=1),
    ]
    return Table(columns=columns, rows=[_row(device) for device in devices])


def _row(device: Device) -> list[str]:
    return [
        numbers.MISSING if device.index is None or device.platform == "cpu" else str(device.index),
        device.name or f"{device.platform}, {UNKNOWN}",
        "the host's" if device.unified_memory and device.memory_bytes is None else gibibytes(device.memory_bytes),
        gibibytes(device.free_bytes),
        numbers.MISSING if device.platform == "cpu" else device.driver or UNKNOWN,
        device.architecture or UNKNOWN,
        numbers.MISSING if device.platform == "cpu" else device.bus or UNKNOWN,
    ]
