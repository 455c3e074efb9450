"""That NVIDIA's bindings are called as they want to be, on a driver library of our own: the real one needs cards."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None, reason="a C compiler is not installed here: nothing checks this file but us"
)
GIB = 1 << 30


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).with_name("nvml.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", str(folder / "libnvidia-ml.so.1"), str(source)], check=True)
    return folder


def detected(library: Path, program: str, **environment: str) -> Any:
    """What a new process prints as JSON: the library is looked for where the process starts."""
    code = f"import json, msgspec\n{program}\nprint(json.dumps(msgspec.to_builtins(found)))"
    variables = {"PATH": "/nowhere", "LD_LIBRARY_PATH": str(library), **environment}
    return json.loads(
        subprocess.check_output([sys.executable, "-c", code], env={**os.environ, **variables}, timeout=60)
    )


DETECT = "from llmmigrate.serving.accelerators.nvidia import detect; found = detect()"


def test_cards_slices_and_shared_memory_are_told_by_the_library(library: Path) -> None:
    found = detected(library, DETECT)
    assert (found["source"], found["problems"]) == ("NVML", [])
    whole, part, shared = found["devices"]
    assert (whole["name"], whole["index"], whole["uuid"], whole["bus"]) == ("NVIDIA H200", 0, "GPU-0", "0000:41:00.0")
    assert (whole["memory_bytes"], whole["free_bytes"], whole["driver"]) == (140 * GIB, 139 * GIB, "580.95.05")
    assert (whole["architecture"], whole["slice_of"], whole["unified_memory"]) == ("sm90", None, False)
    assert (part["name"], part["uuid"], part["slice_of"]) == ("NVIDIA H200 MIG 3g.71gb", "MIG-1", 1)
    assert part["memory_bytes"] == 70 * GIB
    assert (shared["name"], shared["memory_bytes"], shared["unified_memory"]) == ("NVIDIA GB10", None, True)
    assert shared["architecture"] == "sm121"


def test_a_library_that_fails_is_told_and_leaves_the_tool(library: Path, tmp_path: Path) -> None:
    assert detected(library, DETECT, NVML_FAILS="1")["problems"] == ["NVML: Driver Not Loaded"]
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, NVIDIA L40S, GPU-a, 46068, 46000, 535.183.06, 00000000:01:00.0, 8.9, [N/A]'\n")
    tool.chmod(0o755)
    found = detected(library, DETECT, NVML_FAILS="1", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert [device["name"] for device in found["devices"]] == ["NVIDIA L40S"]


def test_a_library_that_hangs_is_left_behind_and_hides_nothing_else(library: Path) -> None:
    take = "from llmmigrate.serving.inventory import take_inventory; found = take_inventory({}, seconds=3.0)"
    found = detected(library, take, NVML_HANGS="1")
    assert found["problems"] == ["nvidia: the driver did not answer within 3 s"]
    assert [device["platform"] for device in found["devices"]] == ["cpu"]
