"""Intel: `xpu-smi discovery -j`, then one question a device, since only that tells the memory."""

import json
from typing import Any, Final

import msgspec

from llmmigrate.serving.accelerators import Device, Found
from llmmigrate.serving.accelerators._tools import bus_address, known, scaled, whole
from llmmigrate.serving.asking import ask

VISIBLE: Final = ("ZE_AFFINITY_MASK",)


def detect() -> Found:
    """The GPUs that `xpu-smi` discovers."""
    answer = ask("xpu-smi", "discovery", "-j")
    if answer.text is None:
        return Found(problems=(answer.problem,) if answer.problem else ())
    try:
        devices = parse(answer.text)
    except ValueError:
        return Found(problems=("xpu-smi discovery -j wrote no JSON",))
    return Found(devices=tuple(_with_detail(device) for device in devices), source="xpu-smi")


def parse(text: str) -> list[Device]:
    """The devices of `xpu-smi discovery -j`; ValueError for what is no JSON."""
    listed = json.loads(text).get("device_list", [])
    return [_device(record) for record in listed if record.get("device_type", "GPU") == "GPU"]


def _device(record: dict[str, Any]) -> Device:
    return Device(
        platform="intel",
        index=whole(record.get("device_id")),
        name=known(record.get("device_name")),
        memory_bytes=scaled(record.get("memory_physical_size_byte"), 1),
        free_bytes=scaled(record.get("memory_free_size_byte"), 1),
        driver=known(record.get("driver_version")),
        uuid=known(record.get("uuid")),
        bus=bus_address(record.get("pci_bdf_address")),
    )


def _with_detail(device: Device) -> Device:
    """The device with the memory and driver that `xpu-smi discovery -d N -j` adds, where it does."""
    answer = ask("xpu-smi", "discovery", "-d", str(device.index), "-j")
    try:
        detail = _device(json.loads(answer.text or "{}"))
    except (ValueError, AttributeError):
        return device
    return msgspec.structs.replace(
        device, memory_bytes=detail.memory_bytes, free_bytes=detail.free_bytes, driver=detail.driver
    )
