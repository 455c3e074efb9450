"""Apple silicon: one GPU that uses the host's memory, told by `sysctl`."""

import platform
from typing import Final

from llmmigrate.serving.accelerators import Device, Found
from llmmigrate.serving.accelerators._tools import known, whole
from llmmigrate.serving.asking import ask

VISIBLE: Final = ()


def detect() -> Found:
    """The processor's GPU, on macOS on Apple silicon only."""
    if platform.system() != "Darwin":
        return Found()
    answer = ask("sysctl", "-n", "machdep.cpu.brand_string", "hw.memsize")
    if answer.text is None:
        return Found(problems=(answer.problem,) if answer.problem else ())
    return Found(devices=tuple(parse(answer.text)), source="sysctl")


def parse(text: str) -> list[Device]:
    """The device that two lines tell of: the processor's name, the memory in bytes. An Intel Mac has none."""
    lines = [*text.splitlines(), "", ""]
    name = known(lines[0])
    if name is None or not name.startswith("Apple"):
        return []
    return [Device(platform="apple", index=0, name=name, memory_bytes=whole(lines[1]), unified_memory=True)]
