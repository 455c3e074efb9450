"""`transformers serve`: any checkpoint that transformers can load, for trying things out rather than for load.

It takes no API key. A request names the model by the words of the command line, so a folder is served from beside it.
"""

import re
from pathlib import Path
from typing import Final

from llmmigrate.serving.engines import UVICORN_STARTS, Launch, Order, Phase, Split

TITLE: Final = "transformers"
EXECUTABLE: Final = "transformers"
DISTRIBUTION: Final = "transformers"
VERSION: Final = None
INSTALL: Final = "pip install torch, then pip install 'llmmigrate[serve]'"
IMAGES: Final[dict[str, str]] = {}
SPLIT: Final[Split] = "layers"
UTILISATION: Final = 0.90
BATCH_TOKENS: Final = 2048
MICRO_BATCH: Final = 0
SEQUENCES: Final = None
DRAFTS: Final = False
KEY_VARIABLE: Final = None
PHASES: Final = (
    Phase("downloading weights", re.compile(r"Fetching \d+ files:\s+(\d+)%")),
    Phase("loading weights", re.compile(r"Loading (?:weights|checkpoint shards):\s+(\d+)%")),
    Phase("warming up", re.compile(r"[Ww]arming? ?up")),
    UVICORN_STARTS,
)

SMALL_BYTES: Final = 100_000_000
"""Weights below this are a model for tests: 16 tokens of one took 55 s with two threads and 2.2 s with one."""

_DEVICES: Final = {"cpu": "cpu", "nvidia": "cuda", "amd": "cuda", "apple": "mps", "intel": "xpu", "ascend": "npu"}


def launch(order: Order) -> Launch:
    """`transformers serve`. A small model on the processor gets one thread: several would wait for each other."""
    device = _DEVICES.get(order.platform, "auto") if order.tensor == 1 else "auto"
    folder = Path(order.checkpoint)
    model = folder.name if folder.is_dir() else order.checkpoint
    arguments = (
        EXECUTABLE, "serve", model, "--device", device, "--host", order.host, "--port", str(order.port),
    )  # fmt: skip
    environment = {"OMP_WAIT_POLICY": "PASSIVE"}
    if order.platform == "cpu" and order.weights_bytes < SMALL_BYTES:
        environment["OMP_NUM_THREADS"] = "1"
    return Launch(
        arguments=arguments,
        served_model=model,
        environment=environment,
        directory=str(folder.parent) if folder.is_dir() else None,
    )
