"""The devices that a plan is made for: those of one kind that were found, or hardware that is only named."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from llmmigrate.errors import UsageError
from llmmigrate.serving.accelerators import MIB, Device
from llmmigrate.serving.catalogue import Hardware, find_hardware, hardware_called
from llmmigrate.serving.inventory import Inventory

CPU: Final = "cpu"
_ON: Final = re.compile(r"(?:([0-9]+) ?[x×*] ?)?([A-Za-z][\w-]*)")
_MOST: Final = 1024
_VISIBLE: Final = {
    "nvidia": "CUDA_VISIBLE_DEVICES",
    "amd": "HIP_VISIBLE_DEVICES",
    "ascend": "ASCEND_RT_VISIBLE_DEVICES",
    "cambricon": "MLU_VISIBLE_DEVICES",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Devices of one kind that serve together."""

    name: str | None
    """Its name in hardware.yaml; None for a kind that is not listed."""
    title: str
    platform: str
    architecture: str | None
    count: int
    memory_bytes: int | None
    """Of one device, the smallest of them; None where it is not known."""
    free_bytes: int | None = None
    """What the fullest device has left; None for hardware that is named, and where the tool does not tell."""
    per_node: int = 8
    hardware: Hardware | None = None
    found: bool = False
    """Whether these devices are in this machine."""
    visible: dict[str, str] = field(default_factory=dict)
    """The environment that keeps an engine to these devices; empty where they are all that there are."""

    @property
    def nodes(self) -> int:
        """How many machines they are."""
        return -(-self.count // self.per_node)

    def __str__(self) -> str:
        return f"{self.count} × {self.title}" if self.platform != CPU else self.title


def named_pool(text: str) -> Pool:
    """The pool that `--on 8xH200` names; a machine of it alone when no number is given. UsageError for another form."""
    match = _ON.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--on '{text}' names no accelerators", fix="write --on 8xH200")
    name, hardware = find_hardware(match[2])
    count = int(match[1]) if match[1] else hardware.per_node
    if not 1 <= count <= _MOST:
        raise UsageError(f"--on '{text}': {count} is no sensible number", fix=f"write a number from 1 to {_MOST}")
    if count > hardware.per_node and count % hardware.per_node:
        raise UsageError(
            f"--on '{text}': {count} are no whole machines of {hardware.per_node}",
            fix=f"write a multiple of {hardware.per_node}, such as {count // hardware.per_node * hardware.per_node}",
        )
    return pool_of(name, hardware, count)


def pool_of(name: str, hardware: Hardware, count: int) -> Pool:
    """`count` devices of a kind that is only named."""
    return Pool(
        name=name,
        title=hardware.title,
        platform=hardware.platform,
        architecture=hardware.architecture,
        count=count,
        memory_bytes=hardware.memory_mib * MIB,
        per_node=hardware.per_node,
        hardware=hardware,
    )


def found_pools(inventory: Inventory) -> list[Pool]:
    """The usable devices of this machine by kind, most memory first; the host's processor last."""
    kinds: dict[tuple[str, str | None, bool], list[Device]] = defaultdict(list)
    for device in inventory.accelerators():
        kinds[device.platform, device.name, device.slice_of is not None].append(device)
    host = inventory.host()
    everything = inventory.devices
    pools = [replace(_pool(devices, host), visible=_kept_to(devices, everything)) for devices in kinds.values()]
    pools.sort(key=lambda pool: -(pool.memory_bytes or 0) * pool.count)
    return [*pools, *([_pool([host], host)] if host is not None else [])]


def _pool(devices: list[Device], host: Device | None) -> Pool:
    first = devices[0]
    known = hardware_called(first.name, first.platform)
    hardware = known[1] if known else None
    sizes, free = _sizes(devices, host)
    architecture = CPU if first.platform == CPU else first.architecture or (hardware.architecture if hardware else None)
    # A process can use one slice of a card, not several together.
    count = 1 if first.slice_of is not None or first.platform == CPU else len(devices)
    return Pool(
        name=known[0] if known else None,
        title=first.name or f"{first.platform} device",
        platform=first.platform,
        architecture=architecture,
        count=count,
        memory_bytes=min(sizes) if len(sizes) == len(devices) else None,
        free_bytes=min(free) if len(free) == len(devices) else None,
        per_node=max(count, hardware.per_node if hardware else 8),
        hardware=hardware,
        found=True,
    )


def _kept_to(devices: list[Device], everything: Sequence[Device]) -> dict[str, str]:
    """What makes an engine see these devices alone, and of slices the first; empty where it sees no others anyway."""
    platform = devices[0].platform
    variable = _VISIBLE.get(platform)
    usable = [device for device in everything if device.platform == platform and device.hidden_by is None]
    sliced = devices[0].slice_of is not None
    if variable is None or (len(usable) == len(devices) and not sliced):
        return {}
    kept = devices[:1] if sliced else devices
    uuids = [device.uuid for device in kept if device.uuid is not None]
    if platform == "nvidia" and len(uuids) == len(kept):
        return {variable: ",".join(uuids)}
    cards = list(dict.fromkeys(device.index for device in everything if device.platform == platform))
    order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if platform == "nvidia" else {}
    return {variable: ",".join(str(cards.index(device.index)) for device in kept), **order}


def _sizes(devices: list[Device], host: Device | None) -> tuple[list[int], list[int]]:
    """Total and free memory of the devices that tell them; those that share the host's memory have the host's."""
    told = [host if device.unified_memory and device.memory_bytes is None and host else device for device in devices]
    sizes = [device.memory_bytes for device in told if device.memory_bytes is not None]
    return sizes, [device.free_bytes for device in told if device.free_bytes is not None]
