"""Everything that all detectors find, and which of it this process may use."""

import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from llmmigrate import registry
from llmmigrate.serving.accelerators import Detector, Device, Found

ROOM: Final = "serving.accelerators"
SECONDS: Final = 12.0
"""How long all detectors together may take: each runs in a thread of its own, since a hung driver also hangs its
library."""


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine has. `problems` are sentences about detectors that could not answer."""

    devices: tuple[Device, ...]
    problems: tuple[str, ...] = ()

    def accelerators(self) -> list[Device]:
        """The devices that this process may use, without the host itself."""
        return [device for device in self.devices if device.platform != "cpu" and device.hidden_by is None]

    def host(self) -> Device | None:
        """The host: its processor and memory."""
        return next((device for device in self.devices if device.platform == "cpu"), None)


def take_inventory(environment: Mapping[str, str] | None = None, *, seconds: float = SECONDS) -> Inventory:
    """Run all detectors at the same time, for at most `seconds`."""
    variables = os.environ if environment is None else environment
    names = registry.names(ROOM)
    answers: dict[str, Found] = {}
    threads = [threading.Thread(target=_run, args=(name, answers), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    devices: list[Device] = []
    problems: list[str] = []
    for name in names:
        found = answers.get(name, Found(problems=(f"{name}: the driver did not answer within {seconds:g} s",)))
        hiding: Sequence[str] = registry.load(ROOM, name).VISIBLE
        devices += with_hidden(list(found.devices), hiding, variables)
        problems += found.problems
    return Inventory(devices=tuple(devices), problems=tuple(problems))


def with_hidden(devices: list[Device], variables: Sequence[str], environment: Mapping[str, str]) -> list[Device]:
    """`devices`, those marked that the first of the `variables` that is set does not name.

    A number counts cards from 0 as the tool lists them (NVIDIA's own order may differ unless CUDA_DEVICE_ORDER is
    PCI_BUS_ID); a text is the beginning of a UUID. As the vendors have it, nothing after a wrong entry counts, and an
    empty value hides all.
    """
    name = next((variable for variable in variables if variable in environment), None)
    if name is None:
        return devices
    kept: list[Device] = []
    for entry in environment[name].split(","):
        device = _named(entry.strip(), devices)
        if device is None:
            break
        kept.append(device)
    return [device if device in kept else msgspec.structs.replace(device, hidden_by=name) for device in devices]


def _named(entry: str, devices: list[Device]) -> Device | None:
    if re.fullmatch(r"[0-9]+", entry):
        cards = list(dict.fromkeys(device.index for device in devices))
        wanted = cards[int(entry)] if int(entry) < len(cards) else None
        return next((device for device in devices if device.index == wanted and wanted is not None), None)
    return next((device for device in devices if entry and (device.uuid or "").startswith(entry)), None)


def _run(name: str, answers: dict[str, Found]) -> None:
    """Put the answer of one detector into `answers`; a defect in one must not hide what the others find."""
    detector: Detector = registry.load(ROOM, name)
    try:
        answers[name] = detector.detect()
    except Exception as error:
        answers[name] = Found(problems=(f"{name}: {type(error).__name__}: {error}",))
