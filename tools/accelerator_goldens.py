"""What the detectors read from recorded outputs of vendor tools: one expected file a recording.

    python -m tools.accelerator_goldens RECORDINGS      writes tests/serving/golden anew

The recordings are real and stay where they are; the expected files hold only what was read from them.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from tools.screens import ROOT

from llmmigrate.serving.accelerators import Device, amd, ascend, cambricon, gpustack, intel, nvidia

GOLDENS: Final = ROOT / "tests" / "serving" / "golden"
NOT_DEVICES: Final = ("gpustack_runtime_topology_",)
"""Recordings of how devices are wired: nothing here reads them."""

_QUERIES: Final = {
    "nvidia-smi_query_B200_index-uuid-name-memory-driver-bus-cc": (
        "index", "uuid", "name", "memory.total", "driver_version", "pci.bus_id", "compute_cap",
    ),
    "nvidia-smi_query_H200_name-memory-uuid-cc-driver": (
        "name", "memory.total", "uuid", "compute_cap", "driver_version",
    ),
    "nvidia-smi_query_L40S_x2": ("index", "name", "memory.total", "compute_cap", "driver_version"),
    "nvidia-smi_query_index-name-memory-cc-driver_csv_noheader_nounits": (
        "index", "name", "memory.total", "compute_cap", "driver_version",
    ),
    "nvidia-smi_query_unified-memory_NA": ("name", "memory.total"),
}  # fmt: skip
_PARSERS: Final[dict[str, Callable[[str], list[Device]]]] = {
    "npu-smi_": ascend.parse,
    "cnmon_": cambricon.parse,
    "rocm-smi_": amd.parse_rocm_smi,
    "amd-smi_": amd.parse_amd_smi,
    "xpu-smi_": intel.parse,
    "gpustack_runtime_detect_": lambda text: gpustack.parse(json.loads(text)),
}


def recordings(folder: Path) -> list[Path]:
    """The recordings that tell of devices."""
    files = (path for path in sorted(folder.iterdir()) if path.suffix != ".md")
    return [path for path in files if not path.name.startswith(NOT_DEVICES)]


def read(path: Path) -> list[Device]:
    """The devices of one recording."""
    text = path.read_text(encoding="utf-8")
    if path.stem in _QUERIES:
        return nvidia.parse(text, _QUERIES[path.stem])
    return next(parse for start, parse in _PARSERS.items() if path.name.startswith(start))(text)


def golden(path: Path) -> Path:
    """The expected file of a recording."""
    return GOLDENS / f"{path.stem}.json"


def expected(path: Path) -> str:
    """What the expected file of a recording has to hold: one line a device, without fields that are unknown."""
    lines = [
        json.dumps(
            {
                name: value
                for name, value in msgspec.to_builtins(device).items()
                if value is not None and value is not False
            }
        )
        for device in read(path)
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    GOLDENS.mkdir(parents=True, exist_ok=True)
    for recording in recordings(Path(sys.argv[1])):
        golden(recording).write_text(expected(recording), encoding="utf-8")
