"""Cambricon: the table of `cnmon`. A device is two rows: card, name and bus; then power and memory."""

import re
from itertools import pairwise
from typing import Final

from llmmigrate.serving.accelerators import MIB, Device, Found
from llmmigrate.serving.accelerators._tools import bus_address, rows, scaled
from llmmigrate.serving.asking import ask

VISIBLE: Final = ("MLU_VISIBLE_DEVICES",)

_DRIVER: Final = re.compile(r"Driver\s+(v\d[\w.]*)")
_NAMED: Final = re.compile(r"(?P<card>\d+)\s+\S*\s*(?P<name>MLU\S+)\s+\S+")
_MEMORY: Final = re.compile(r"(?P<used>\w+) MiB\s*/\s*(?P<total>\w+) MiB")
_VERSION: Final = re.compile(r"\bv\d[\w.]*")


def detect() -> Found:
    """The devices of `cnmon`."""
    answer = ask("cnmon")
    if answer.text is None:
        return Found(problems=(answer.problem,) if answer.problem else ())
    return Found(devices=tuple(parse(answer.text)), source="cnmon")


def parse(text: str) -> list[Device]:
    """The devices in the output of `cnmon`, of old and new layout. The tool's own version is not the driver's."""
    header = _DRIVER.search(text)
    table = rows(text)
    found = []
    for above, below in pairwise(table):
        named = _NAMED.fullmatch(above[0])
        memory = _MEMORY.search(below[1]) if named and len(below) > 1 else None
        if named is None or memory is None:
            continue
        used, total = scaled(memory["used"], MIB), scaled(memory["total"], MIB)
        found.append(
            Device(
                platform="cambricon",
                index=int(named["card"]),
                name=named["name"],
                memory_bytes=total,
                free_bytes=total - used if total is not None and used is not None else None,
                driver=header[1] if header else _in_row(above[1]),
                bus=bus_address(above[1]),
            )
        )
    return found


def _in_row(cell: str) -> str | None:
    """The driver of the old layout, which stands in each card's row."""
    version = _VERSION.search(cell)
    return version[0] if version else None
