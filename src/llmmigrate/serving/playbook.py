"""The GPU table of a migration playbook for private GLM-5, as it was published, beside what is known about it.

The table is a claim of its authors. It is shown so that its readers find it again, never planned with.
"""

from typing import Final

from llmmigrate.serving.catalogue import models
from llmmigrate.serving.fit import Wish, choices
from llmmigrate.serving.pool import named_pool
from llmmigrate.serving.results import Playbook, PlaybookDevice

DEVICES: Final = (
    ("NVIDIA A100 / H100", ("a100", "h100"), 32, 2, "fp16", "fp16", True, 5, None),
    ("Huawei Ascend 910B", ("ascend-a2",), 24, 1, "fp16", "fp16", False, 8, "custom kernels"),
    ("Cambricon MLU370", ("mlu370",), 16, 1, "bf16", "bf16", False, None, "memory-efficient attention"),
)
GENERATION: Final = {"temperature": "0.7", "top_p": "0.9", "repetition_penalty": "1.1", "max_new_tokens": "2048"}


def playbook(command: str, version: str) -> Playbook:
    """The table, each row with the planner's verdict on as many devices as its tensor parallelism asks for."""
    devices = [
        PlaybookDevice(
            device=name, max_batch=batch, tensor_parallel=ranks, precision=precision, kv_precision=kv,
            flash_attention=flash, batch_delay_ms=delay, other=other,
            verdicts=[_verdict(kind, ranks) for kind in kinds],
        )
        for name, kinds, batch, ranks, precision, kv, flash, delay, other in DEVICES
    ]  # fmt: skip
    return Playbook(
        schema="llmmigrate.playbook/1", command=command, version=version, model="glm-5", devices=devices,
        generation=dict(GENERATION),
    )  # fmt: skip


def _verdict(kind: str, ranks: int) -> str:
    """What the planner says to GLM-5 on `ranks` devices of a kind, whatever the precision."""
    pool = named_pool(f"{ranks}x{kind}")
    found = choices("glm-5", models()["glm-5"], pool, Wish())
    if found[0].fits:
        return f"{pool}: fits"
    first = found[0]
    held = pool.count * (pool.memory_bytes or 0) / 1e9
    smallest = min(choice.checkpoint.size for choice in found) / 1e9
    room = f"{held:,.0f} GB of memory for weights of at least {smallest:,.0f} GB"
    return f"{pool}: does not fit, {room}" + (f"; {first.why}" if first.why else "")
