"""The host itself: a place to serve small models, and what planning needs to know beside the accelerators."""

import platform
from pathlib import Path
from typing import Final

import psutil

from llmmigrate.serving.accelerators import Device, Found

VISIBLE: Final = ()
_INFO: Final = Path("/proc/cpuinfo")


def detect() -> Found:
    """One device with the host's memory; `free_bytes` is what can be had without swapping."""
    memory = psutil.virtual_memory()
    device = Device(
        platform="cpu",
        index=0,
        name=processor_name(_INFO.read_text(errors="replace") if _INFO.exists() else ""),
        memory_bytes=memory.total,
        free_bytes=memory.available,
        architecture=platform.machine() or None,
        unified_memory=True,
    )
    return Found(devices=(device,), source="host")


def processor_name(text: str) -> str | None:
    """The first `model name` of /proc/cpuinfo, else what Python knows."""
    names = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(names, None) or platform.processor() or None
