"""SGLang: NVIDIA and AMD.

It takes an API key on the command line alone, where every user of the machine can read it: none is set.
"""

import re
from typing import Final

from llmmigrate.serving.engines import Launch, Order, Phase, Split

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
    Phase("starting the server", re.compile(r"Started server process|Waiting for application startup")),
)


def launch(order: Order) -> Launch:
    """`sglang serve`."""
    arguments = [
        EXECUTABLE, "serve", "--model-path", order.checkpoint, "--host", order.host, "--port", str(order.port),
        "--served-model-name", order.served_name, "--tp", str(order.tensor), "--context-length", str(order.context),
        "--mem-fraction-static", f"{order.utilisation:g}",
    ]  # fmt: skip
    if order.data > 1:
        arguments += ["--dp", str(order.data)]
    if order.expert_parallel:
        arguments += ["--ep", str(order.tensor)]
    if order.kv_precision == "fp8":
        arguments += ["--kv-cache-dtype", "fp8_e4m3"]
    if order.sequences is not None:
        arguments += ["--max-running-requests", str(order.sequences)]
    if order.draft_tokens:
        # A chain of drafts is checked with the token before it: one more than is drafted.
        arguments += [
            "--speculative-algorithm", "EAGLE", "--speculative-num-steps", str(order.draft_tokens),
            "--speculative-eagle-topk", "1", "--speculative-num-draft-tokens", str(order.draft_tokens + 1),
        ]  # fmt: skip
    recipe = order.recipe
    environment = dict(recipe.environment) if recipe is not None else {}
    return Launch(
        arguments=(*arguments, *(recipe.arguments if recipe else ())),
        served_model=order.served_name,
        environment=environment,
    )
