"""Accelerators without a detector of their own (Hygon, MetaX, Moore Threads, T-Head …), by gpustack-runtime.

An optional package (`pip install 'llmmigrate[accelerators]'`); without it this finds nothing.
"""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any, Final

from llmmigrate.serving.accelerators import MIB, Device, Found
from llmmigrate.serving.accelerators._tools import bus_address, known, scaled, whole

VISIBLE: Final = ()
OWN: Final = frozenset({"nvidia", "amd", "ascend", "cambricon", "intel", "apple"})
"""Makers whose devices are found by their own module."""


def detect() -> Found:
    """The devices of other makers."""
    if find_spec("gpustack_runtime") is None:
        return Found()
    from gpustack_runtime.detector import detect_devices

    records = [device.to_dict() for device in detect_devices(fast=False)]
    devices = [device for device in parse(records) if device.platform not in OWN]
    return Found(devices=tuple(devices), source="gpustack-runtime")


def parse(records: Iterable[Mapping[str, Any]]) -> list[Device]:
    """The devices of gpustack-runtime's records; memory is in MiB there. Slices of a card stand for the card."""
    return [device for record in records for device in _devices(record)]


def _devices(record: Mapping[str, Any]) -> list[Device]:
    slices = record.get("appendix", {}).get("mig_devices") or []
    if slices:
        return [_device(part, record) for part in slices]
    return [_device(record, None)]


def _device(record: Mapping[str, Any], card: Mapping[str, Any] | None) -> Device:
    whole_card = record if card is None else card
    total, used = scaled(record.get("memory"), MIB), scaled(record.get("memory_used"), MIB)
    return Device(
        platform=str(whole_card.get("manufacturer")),
        index=whole(whole_card.get("index")),
        name=known(record.get("name")),
        memory_bytes=total,
        free_bytes=total - used if total is not None and used is not None else None,
        driver=known(record.get("driver_version")),
        uuid=known(record.get("uuid")),
        bus=bus_address(record.get("appendix", {}).get("bdf")),
        architecture=_architecture(str(whole_card.get("manufacturer")), record.get("compute_capability")),
        slice_of=None if card is None else whole(card.get("index")),
    )


def _architecture(maker: str, capability: object) -> str | None:
    words = known(capability)
    if words is None:
        return None
    return f"sm{words.replace('.', '')}" if maker == "nvidia" else words
