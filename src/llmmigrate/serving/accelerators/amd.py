"""AMD: `amd-smi static` for what the cards are, `rocm-smi` for how much of their memory is used."""

import csv
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from llmmigrate.serving.accelerators import Device, Found
from llmmigrate.serving.accelerators._tools import bus_address, known, scaled, whole
from llmmigrate.serving.asking import ask

VISIBLE: Final = ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
SMALLEST_BYTES: Final = 1 << 30
"""A processor's own graphics reports less, and is nothing to serve a model on."""

_UNITS: Final = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
"""The tools count in powers of 1024 whatever they call it: 196592 MB is a card of 192 GiB."""


def detect() -> Found:
    """The cards of `amd-smi`, with the free memory that `rocm-smi` knows; or those of `rocm-smi` alone."""
    answers = (
        ask("amd-smi", "static", "--asic", "--vram", "--driver", "--bus", "--json"),
        ask("rocm-smi", "--showproductname", "--showmeminfo", "vram", "--showdriverversion", "--showbus", "--json"),
    )
    problems = [answer.problem for answer in answers if answer.problem]
    found: list[list[Device]] = []
    for answer, read in zip(answers, (parse_amd_smi, parse_rocm_smi), strict=True):
        try:
            found.append(read(answer.text) if answer.text is not None else [])
        except (ValueError, TypeError, AttributeError):
            problems.append(f"{'rocm-smi' if found else 'amd-smi'} wrote JSON of a form that is not known")
            found.append([])
    devices = _joined(*found) if found[0] else found[1]
    source = "amd-smi" if found[0] else "rocm-smi" if found[1] else None
    return Found(devices=tuple(devices), problems=tuple(problems), source=source)


def parse_amd_smi(text: str) -> list[Device]:
    """The cards of `amd-smi static --json`: a list, in newer versions under `gpu_data`."""
    parsed = json.loads(text)
    records = parsed["gpu_data"] if isinstance(parsed, dict) else parsed
    return _cards(_static(record) for record in records)


def _static(record: Mapping[str, Any]) -> Device:
    asic, size = record.get("asic", {}), record.get("vram", {}).get("size", {})
    unit = _UNITS.get(str(size.get("unit")))
    return Device(
        platform="amd",
        index=whole(record.get("gpu")),
        name=known(asic.get("market_name")),
        memory_bytes=None if unit is None else scaled(size.get("value"), unit),
        driver=known(record.get("driver", {}).get("version")),
        bus=bus_address(record.get("bus", {}).get("bdf")),
        architecture=_graphics(asic.get("target_graphics_version")),
    )


def parse_rocm_smi(text: str) -> list[Device]:
    """The cards of `rocm-smi --json` or `--csv`; the `system` entry holds the driver's version."""
    stripped = text.lstrip()
    if stripped.startswith("{"):
        cards = json.loads(stripped)
    else:
        cards = {row["device"]: row for row in csv.DictReader(stripped.splitlines())}
    driver = known(cards.get("system", {}).get("Driver version"))
    return _cards(_card(name, fields, driver) for name, fields in cards.items() if name.startswith("card"))


def _card(name: str, fields: Mapping[str, Any], driver: str | None) -> Device:
    by_name = {key.casefold(): value for key, value in fields.items()}  # older versions write `Card series`
    total = scaled(by_name.get("vram total memory (b)"), 1)
    used = scaled(by_name.get("vram total used memory (b)"), 1)
    return Device(
        platform="amd",
        index=whole(name.removeprefix("card")),
        name=known(by_name.get("card series")),
        memory_bytes=total,
        free_bytes=total - used if total is not None and used is not None else None,
        driver=driver,
        uuid=known(by_name.get("unique id")),
        bus=bus_address(by_name.get("pci bus")),
        architecture=_graphics(by_name.get("gfx version")),
    )


def _graphics(text: object) -> str | None:
    words = known(text)
    return words if words and re.fullmatch(r"gfx\w+", words) else None


def _cards(devices: Iterable[Device]) -> list[Device]:
    """The devices that are cards; one whose memory is not known may be one."""
    return [device for device in devices if device.memory_bytes is None or device.memory_bytes >= SMALLEST_BYTES]


def _joined(cards: list[Device], used: list[Device]) -> list[Device]:
    """`cards` with the free memory of the same card in `used`."""
    free = {device.index: device.free_bytes for device in used}
    return [msgspec.structs.replace(card, free_bytes=free.get(card.index)) for card in cards]
