"""That every recorded output of a vendor tool is read as the devices it tells of, and that a tool may misbehave."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.serving.launched import is_running
from tools.accelerator_goldens import expected, golden, read, recordings

from llmmigrate.serving import asking
from llmmigrate.serving.accelerators import MIB, Device, amd, apple, ascend, cambricon, cpu, intel, nvidia
from llmmigrate.serving.inventory import take_inventory, with_hidden

Play = Callable[..., Path]
Recording = Callable[[str], str]


def test_every_recording_is_read_as_it_was(data: Path) -> None:
    found = recordings(data / "accelerator_samples")
    assert len(found) == 37
    assert {path.name: expected(path) for path in found} == {
        path.name: golden(path).read_text(encoding="utf-8") for path in found
    }


@pytest.mark.parametrize(
    ("start", "count", "name", "mebibytes"),
    [
        ("npu-smi_info_atlas-a3_ascend910x16", 16, "Ascend910", 65_536),
        ("npu-smi_info_910B2C", 4, "910B2C", 65_536),
        ("npu-smi_info_910B4", 1, "910B4", 32_768),
        ("npu-smi_info_910ProB", 2, "910ProB", 32_768),
        ("npu-smi_info_310P3", 1, "310P3", 21_534),
        ("npu-smi_info_atlas-a3_wide", 2, "Ascend910", 65_536),
        ("cnmon_MLU370-X8_x2_v5.10.13", 2, "MLU370-X8", 23_374),
        ("cnmon_MLU370-X4_x3", 3, "MLU370-X4", 23_308),
        ("nvidia-smi_query_B200", 1, "NVIDIA B200", 183_359),
        ("nvidia-smi_query_L40S", 2, "NVIDIA L40S", 46_068),
        ("rocm-smi_rx6800", 1, "Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]", 16_368),
        ("amd-smi_static_mi300x", 1, "AMD Instinct MI300X", 196_592),
        ("gpustack_runtime_detect_output_metax", 8, "MXC500", 65_536),
    ],
)
def test_a_recording_tells_of_these_devices(data: Path, start: str, count: int, name: str, mebibytes: int) -> None:
    (path,) = (data / "accelerator_samples").glob(f"{start}*")
    devices = read(path)
    assert [device.name for device in devices] == [name] * count
    assert {device.memory_bytes for device in devices} == {mebibytes * MIB}


def test_what_a_tool_does_not_say_is_unknown_and_not_zero(data: Path) -> None:
    samples = data / "accelerator_samples"
    (redacted,) = cambricon.parse((samples / "cnmon_MLU-redacted_memory-xxxxx_v5.10.31_truncated.txt").read_text())
    assert (redacted.memory_bytes, redacted.free_bytes) == (None, None)
    (gb10,) = nvidia.parse((samples / "nvidia-smi_query_unified-memory_NA.txt").read_text(), ("name", "memory.total"))
    assert (gb10.memory_bytes, gb10.unified_memory) == (None, True)
    (intel_gpu,) = intel.parse((samples / "xpu-smi_discovery_j.json").read_text())
    assert (intel_gpu.memory_bytes, intel_gpu.driver) == (None, None)


def test_a_failed_reading_is_not_taken_for_shared_memory() -> None:
    (card,) = nvidia.parse("NVIDIA H200, [Unknown Error]", ("name", "memory.total"))
    assert (card.memory_bytes, card.unified_memory) == (None, False)


def test_free_memory_is_what_is_not_used(data: Path) -> None:
    (path,) = (data / "accelerator_samples").glob("npu-smi_info_910B2C*")
    assert ascend.parse(path.read_text())[0].free_bytes == (65_536 - 52_675) * MIB


def test_cards_in_mig_mode_are_their_slices(play: Play) -> None:
    query = "0, NVIDIA H100, GPU-a, 81559, 81000, 575.57, 00000000:41:00.0, 9.0, Enabled"
    other = "1, NVIDIA H100, GPU-b, 81559, 81000, 575.57, 00000000:42:00.0, 9.0, Disabled"
    listing = (
        "GPU 0: NVIDIA H100 (UUID: GPU-a)\\n  MIG 3g.40gb     Device  0: (UUID: MIG-1)\\nGPU 1: x (UUID: GPU-b)\\n"
    )
    play("nvidia-smi", f'if [ "$1" = -L ]; then printf "{listing}"; else echo "{query}"; echo "{other}"; fi')
    found = nvidia.detect()
    assert [(device.name, device.uuid, device.slice_of, device.memory_bytes) for device in found.devices] == [
        ("NVIDIA H100 MIG 3g.40gb", "MIG-1", 0, None),
        ("NVIDIA H100", "GPU-b", None, 81_559 * MIB),
    ]


def test_several_vendors_in_one_host(play: Play, recording: Recording) -> None:
    play("npu-smi", recording("npu-smi_info_910B4"))
    play("cnmon", recording("cnmon_MLU370-X8_x2_v5.10.13"))
    play("rocm-smi", recording("rocm-smi_mi300x"))
    play("xpu-smi", f'[ "$2" = -j ] && {recording("xpu-smi_discovery")}')
    found = take_inventory({})
    assert [device.platform for device in found.devices] == [
        "amd", "amd", "ascend", "cambricon", "cambricon", "cpu", "intel",
    ]  # fmt: skip
    assert found.problems == ()


def test_amd_smi_tells_the_cards_and_rocm_smi_the_free_memory(play: Play, recording: Recording) -> None:
    play("amd-smi", recording("amd-smi_static_mi300x"))
    play("rocm-smi", recording("rocm-smi_mi300x"))
    (card,) = amd.detect().devices
    assert (card.driver, card.free_bytes) == ("6.19.14", 206_141_652_992 - 301_989_888)


def test_a_tool_that_hangs_is_ended_with_all_that_it_started(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 2.0)
    play("npu-smi", f"sleep 61 & echo $! > {tmp_path}/child; wait")
    started = time.monotonic()
    answer = asking.ask("npu-smi", "info")
    assert answer.problem == "npu-smi did not answer within 2 s"
    assert time.monotonic() - started < 30
    child = int((tmp_path / "child").read_text())
    while is_running(child):
        assert time.monotonic() - started < 30
        time.sleep(0.05)


def test_a_hanging_tool_hides_no_other(play: Play, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SECONDS", 2.0)
    play("npu-smi", "exec sleep 61")
    play("cnmon", recording("cnmon_MLU370-X8_x2_v5.10.13"))
    found = take_inventory({})
    assert len(found.accelerators()) == 2
    assert found.problems == ("npu-smi did not answer within 2 s",)


def test_a_tool_that_fails_is_told_with_its_words(play: Play) -> None:
    play("nvidia-smi", "echo 'NVIDIA-SMI has failed because it could not communicate with the driver' >&2; exit 9")
    (problem,) = nvidia.detect().problems
    assert problem.startswith("nvidia-smi failed with exit code 9: NVIDIA-SMI has failed")


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", '{"gpu_data": [3]}', '[{"gpu": 0, "vram": "N/A"}]'])
def test_output_of_another_form_is_a_problem_and_no_crash(play: Play, text: str) -> None:
    play("amd-smi", f"echo '{text}'")
    found = amd.detect()
    assert (found.devices, len(found.problems)) == ((), 1)


@pytest.mark.parametrize("text", ["", "| | |\n|1|2|", "garbage", "| 0 910B | OK |\n| 0 | 0000:41:00.0 | x |"])
def test_tables_of_another_form_have_no_devices(text: str) -> None:
    assert ascend.parse(text) == []
    assert cambricon.parse(text) == []


CARDS = [
    Device(platform="nvidia", index=index, name="NVIDIA H100", uuid=f"GPU-{name}") for index, name in enumerate("abcd")
]


@pytest.mark.parametrize(
    ("value", "usable"),
    [("0,2", [0, 2]), ("", []), ("-1", []), ("GPU-b", [1]), ("3,9,0", [3]), ("all", []), (" 1 , 2 ", [1, 2])],
)
def test_only_the_devices_that_the_environment_names_are_usable(value: str, usable: list[int]) -> None:
    marked = with_hidden(CARDS, ("CUDA_VISIBLE_DEVICES",), {"CUDA_VISIBLE_DEVICES": value})
    assert [device.index for device in marked if device.hidden_by is None] == usable
    assert {device.hidden_by for device in marked} <= {None, "CUDA_VISIBLE_DEVICES"}


def test_the_vendors_own_variable_counts_first(play: Play, recording: Recording) -> None:
    play("rocm-smi", recording("rocm-smi_mi300x"))
    found = take_inventory({"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "0"})
    assert [device.index for device in found.accelerators()] == [1]


def test_numbers_count_cards_even_where_the_tool_numbers_them_otherwise(play: Play, recording: Recording) -> None:
    play("npu-smi", recording("npu-smi_info_910B2C"))
    found = take_inventory({"ASCEND_RT_VISIBLE_DEVICES": "0,3"})
    assert [device.index for device in found.accelerators()] == [12, 15]


def test_apple_silicon_shares_the_memory() -> None:
    (device,) = apple.parse("Apple M3 Ultra\n549755813888\n")
    assert (device.memory_bytes, device.unified_memory) == (549_755_813_888, True)
    assert apple.parse("Intel(R) Core(TM) i9\n34359738368\n") == []


def test_the_host_is_always_found() -> None:
    (host,) = cpu.detect().devices
    assert host.memory_bytes == psutil.virtual_memory().total
    assert cpu.processor_name("model name\t: AMD EPYC 9654\nmodel name\t: AMD EPYC 9654\n") == "AMD EPYC 9654"
