"""SGLang: NVIDIA and AMD.

It takes an API key on the command line alone, where every user of the machine can read it: none is set.
"""

import re
from typing import Final

from llmmigrate.serving.engines import UVICORN_STARTS, Launch, Order, Phase, Split, _tensor
from llmmigrate.serving.engines._tensor import Options

TITLE: Final = "sglang"
EXECUTABLE: Final = "sglang"
DISTRIBUTION: Final = "sglang"
VERSION: Final = None
INSTALL: Final = "pip install sglang (https://docs.sglang.ai/get_started/install.html)"
IMAGES: Final = {"nvidia": "lmsysorg/sglang:latest"}
SPLIT: Final[Split] = "tensor"
UTILISATION: Final = 0.85
BATCH_TOKENS: Final = 8192
MICRO_BATCH: Final = 0
SEQUENCES: Final = None
DRAFTS: Final = True
KEY_VARIABLE: Final = None
PHASES: Final = (
    Phase("loading weights", re.compile(r"Loading safetensors checkpoint shards:\s+(\d+)% Completed")),
    Phase("loading weights", re.compile(r"Load weight begin")),
    Phase("warming up", re.compile(r"Capture cuda graph begin|Capturing batches")),
    UVICORN_STARTS,
)

_OPTIONS: Final = Options(
    tensor="--tp",
    data="--dp",
    context="--context-length",
    utilisation="--mem-fraction-static",
    sequences="--max-running-requests",
    fp8="fp8_e4m3",
)


def launch(order: Order) -> Launch:
    """`sglang serve`. A chain of drafts is checked with the token before it: one more than is drafted."""
    return _tensor.launch(
        (EXECUTABLE, "serve", "--model-path", order.checkpoint),
        order,
        _OPTIONS,
        experts=["--ep", str(order.tensor)],
        drafts=[
            "--speculative-algorithm", "EAGLE", "--speculative-num-steps", str(order.draft_tokens),
            "--speculative-eagle-topk", "1", "--speculative-num-draft-tokens", str(order.draft_tokens + 1),
        ],
    )  # fmt: skip
