"""Huawei Ascend: the table of `npu-smi info`.

A device is two rows: number, name and health; then chip, bus and memory. An Atlas A3 card has two dies, each a device
of its own. The last `used / total` pair is the memory that models live in (HBM), whatever the columns are called.
"""

import re
from itertools import pairwise
from typing import Final

from llmmigrate.serving.accelerators import MIB, Device, Found
from llmmigrate.serving.accelerators._tools import bus_address, known, rows
from llmmigrate.serving.asking import ask

VISIBLE: Final = ("ASCEND_RT_VISIBLE_DEVICES",)

_VERSION: Final = re.compile(r"Version:\s*(\S+)")
_NAMED: Final = re.compile(r"(?P<id>\d+)\s+(?P<name>\S+)")
_CHIP: Final = re.compile(r"(?P<chip>\d+)(?:\s+(?P<physical>\d+))?")
_PAIR: Final = re.compile(r"(\d+)\s*/\s*(\d+)")


def detect() -> Found:
    """The devices of `npu-smi info`."""
    answer = ask("npu-smi", "info")
    if answer.text is None:
        return Found(problems=(answer.problem,) if answer.problem else ())
    return Found(devices=tuple(parse(answer.text)), source="npu-smi")


def parse(text: str) -> list[Device]:
    """The devices in the output of `npu-smi info`; its table of processes is none of them."""
    version = _VERSION.search(text)
    driver = version[1].rstrip("|") if version else None
    table = rows(text)
    found = []
    for above, below in pairwise(table):
        device = _device(above, below, driver)
        if device is not None:
            found.append(device)
    return found


def _device(above: list[str], below: list[str], driver: str | None) -> Device | None:
    """A device of two rows; None unless the lower one has a bus address where a device has it."""
    bus = bus_address(below[1]) if len(above) == 3 and len(below) == 3 else None
    named, chip = _NAMED.fullmatch(above[0]), _CHIP.fullmatch(below[0])
    if bus is None or named is None or chip is None:
        return None
    pairs = _PAIR.findall(below[2])
    used, total = (int(part) for part in pairs[-1]) if pairs else (None, None)
    return Device(
        platform="ascend",
        index=int(chip["physical"] or named["id"]),
        name=known(named["name"]),
        memory_bytes=total * MIB if total else None,
        free_bytes=(total - used) * MIB if total and used is not None else None,
        driver=driver,
        bus=bus,
    )
