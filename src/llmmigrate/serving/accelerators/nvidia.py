"""NVIDIA: the management library (NVML), else `nvidia-smi`; cards, slices of cards (MIG), unified memory."""

import csv
import re
from typing import Any, Final

import msgspec

from llmmigrate.serving.accelerators import MIB, Device, Found
from llmmigrate.serving.accelerators._tools import bus_address, known, scaled, whole
from llmmigrate.serving.asking import ask

VISIBLE: Final = ("CUDA_VISIBLE_DEVICES",)
FIELDS: Final = (
    "index", "name", "uuid", "memory.total", "memory.free", "driver_version", "pci.bus_id", "compute_cap",
    "mig.mode.current",
)  # fmt: skip
"""What is asked of `nvidia-smi`, in this order."""

_SLICE: Final = re.compile(r"\s+MIG\s+(?P<name>\S+)\s+Device\s+(?P<index>\d+):\s+\(UUID: (?P<uuid>MIG-[^)]+)\)")
_CARD: Final = re.compile(r"GPU (?P<index>\d+):")


def detect() -> Found:
    """The cards by NVML; where its library is missing or fails, by `nvidia-smi`."""
    found, problem = _by_library()
    if found is not None:
        return found
    answer = ask("nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits")
    if answer.text is None:
        return Found(problems=tuple(words for words in (problem, answer.problem) if words))
    devices = parse(answer.text, FIELDS)
    if any(_sliced(line) for line in answer.text.splitlines()):
        devices = with_slices(devices, ask("nvidia-smi", "-L").text or "", _sliced_cards(answer.text))
    return Found(devices=tuple(devices), source="nvidia-smi")


def parse(text: str, fields: tuple[str, ...]) -> list[Device]:
    """The devices of `nvidia-smi --query-gpu=FIELDS --format=csv,noheader,nounits`; memory is in MiB there."""
    found = []
    for place, line in enumerate(row for row in csv.reader(text.splitlines(), skipinitialspace=True) if row):
        values = dict(zip(fields, line, strict=True))
        index = whole(values.get("index"))
        total = scaled(values.get("memory.total"), MIB)
        found.append(
            Device(
                platform="nvidia",
                index=place if index is None else index,
                name=known(values.get("name")),
                memory_bytes=total,
                free_bytes=scaled(values.get("memory.free"), MIB),
                driver=known(values.get("driver_version")),
                uuid=known(values.get("uuid")),
                bus=bus_address(values.get("pci.bus_id")),
                architecture=_architecture(values.get("compute_cap")),
                unified_memory=_shares_memory(values.get("memory.total")),
            )
        )
    return found


def _shares_memory(total: str | None) -> bool:
    """Whether the tool says that memory of its own is not a thing this part has; an error is no such answer."""
    return total is not None and total.strip("[] ").casefold() in ("n/a", "not supported")


def with_slices(cards: list[Device], listing: str, sliced: set[int]) -> list[Device]:
    """`cards` with each card in MIG mode replaced by its slices, which `nvidia-smi -L` lists without their memory."""
    slices: dict[int, list[Device]] = {}
    card: Device | None = None
    by_index = {device.index: device for device in cards}
    for line in listing.splitlines():
        if match := _CARD.match(line):
            card = by_index.get(int(match["index"]))
        elif (match := _SLICE.match(line)) and card is not None and card.index is not None:
            slices.setdefault(card.index, []).append(_slice(card, match["name"], match["uuid"]))
    return [part for device in cards for part in _parts(device, slices, sliced)]


def _parts(card: Device, slices: dict[int, list[Device]], sliced: set[int]) -> list[Device]:
    """A card in MIG mode is usable only by its slices: without any it is no device."""
    return slices.get(card.index or 0, []) if card.index in sliced else [card]


def _slice(card: Device, name: str, uuid: str) -> Device:
    return msgspec.structs.replace(
        card, name=f"{card.name} MIG {name}", uuid=uuid, slice_of=card.index, memory_bytes=None, free_bytes=None,
        unified_memory=False,
    )  # fmt: skip


def _sliced(line: str) -> bool:
    return line.rpartition(",")[2].strip() == "Enabled"


def _sliced_cards(text: str) -> set[int]:
    return {int(line.partition(",")[0]) for line in text.splitlines() if _sliced(line)}


def _architecture(capability: object) -> str | None:
    """`9.0` is sm90."""
    words = known(capability)
    return f"sm{words.replace('.', '')}" if words and re.fullmatch(r"\d+\.\d+", words) else None


def _by_library() -> tuple[Found | None, str | None]:
    """What NVML says, or None and why it does not; a missing library is no problem."""
    try:
        import pynvml
    except ImportError:
        return None, None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        return None, None
    except pynvml.NVMLError as error:
        return None, f"NVML: {error}"
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
        devices = [
            device for index in range(pynvml.nvmlDeviceGetCount()) for device in _library_card(pynvml, index, driver)
        ]
        return Found(devices=tuple(devices), source="NVML"), None
    except pynvml.NVMLError as error:
        return None, f"NVML: {error}"
    finally:
        pynvml.nvmlShutdown()


def _library_card(nvml: Any, index: int, driver: str) -> list[Device]:
    """A card, or its slices where it is in MIG mode."""
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    card = Device(
        platform="nvidia",
        index=index,
        name=nvml.nvmlDeviceGetName(handle),
        driver=driver,
        uuid=nvml.nvmlDeviceGetUUID(handle),
        bus=bus_address(nvml.nvmlDeviceGetPciInfo(handle).busId),
        architecture=f"sm{major}{minor}",
    )
    if _mig_mode(nvml, handle):
        return _library_slices(nvml, handle, card)
    return [_with_memory(nvml, handle, card)]


def _mig_mode(nvml: Any, handle: Any) -> bool:
    try:
        return bool(nvml.nvmlDeviceGetMigMode(handle)[0])
    except nvml.NVMLError:
        return False


def _library_slices(nvml: Any, handle: Any, card: Device) -> list[Device]:
    found = []
    for place in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)
        except nvml.NVMLError_NotFound:
            continue
        name, uuid = nvml.nvmlDeviceGetName(part), nvml.nvmlDeviceGetUUID(part)
        device = msgspec.structs.replace(card, name=name, uuid=uuid, slice_of=card.index)
        found.append(_with_memory(nvml, part, device))
    return found


def _with_memory(nvml: Any, handle: Any, device: Device) -> Device:
    """A device with its memory; parts that share the host's memory have none of their own to report."""
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError_NotSupported:
        return msgspec.structs.replace(device, unified_memory=True)
    return msgspec.structs.replace(device, memory_bytes=int(memory.total), free_bytes=int(memory.free))
