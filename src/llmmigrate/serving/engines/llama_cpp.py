"""llama.cpp's server: GGUF checkpoints on any card, on Apple silicon or on the processor."""

import re
from pathlib import Path
from typing import Final

from llmmigrate.serving.engines import Launch, Order, Phase, Split

TITLE: Final = "llama.cpp"
EXECUTABLE: Final = "llama-server"
DISTRIBUTION: Final = None
VERSION: Final = re.compile(r"^version: (?:(?P<version>\d+\.[\w.+-]+)|(?P<build>\d+) )", re.MULTILINE)
"""Older programs print `version: 6730 (e60f01d)`."""
INSTALL: Final = "install llama.cpp so that llama-server is on the PATH (https://github.com/ggml-org/llama.cpp)"
IMAGES: Final = {"nvidia": "ghcr.io/ggml-org/llama.cpp:server-cuda", "cpu": "ghcr.io/ggml-org/llama.cpp:server"}
SPLIT: Final[Split] = "layers"
UTILISATION: Final = 0.95
BATCH_TOKENS: Final = 2048
MICRO_BATCH: Final = 512
SEQUENCES: Final = 4
"""The number that it takes by itself, for which it would then set aside the cache of one."""
DRAFTS: Final = False
KEY_VARIABLE: Final = "LLAMA_API_KEY"
PHASES: Final = (
    Phase("downloading weights", re.compile(r"common_download_file|downloading from")),
    Phase("loading weights", re.compile(r"load_model: loading model|load_tensors: loading model tensors")),
    Phase("warming up", re.compile(r"warming up the model")),
    Phase("starting the server", re.compile(r"main: model loaded|llama_server: model loaded")),
)


def launch(order: Order) -> Launch:
    """`llama-server`; it splits the layers among the cards by itself, and the cache evenly among the requests."""
    source = ["-m", order.checkpoint] if Path(order.checkpoint).is_absolute() else ["-hf", _tagged(order)]
    layers = "0" if order.platform == "cpu" else "999"
    sequences = order.sequences or 1
    arguments = (
        EXECUTABLE, *source, "--host", order.host, "--port", str(order.port), "--alias", order.served_name,
        "--ctx-size", str(order.context * sequences), "--parallel", str(sequences), "--n-gpu-layers", layers, "--jinja",
    )  # fmt: skip
    return Launch(arguments=arguments, served_model=order.served_name)


def _tagged(order: Order) -> str:
    return f"{order.checkpoint}:{order.file}" if order.file else order.checkpoint
