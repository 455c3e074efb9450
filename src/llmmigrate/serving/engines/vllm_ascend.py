"""vLLM with its plugin for Huawei Ascend."""

import dataclasses
from typing import Final

from llmmigrate.serving.engines import Launch, Order, Split, vllm

TITLE: Final = "vllm-ascend"
EXECUTABLE: Final = "vllm"
DISTRIBUTION: Final = "vllm-ascend"
VERSION: Final = None
INSTALL: Final = "pip install vllm-ascend, with CANN (https://docs.vllm.ai/projects/ascend/en/latest/installation.html)"
IMAGES: Final = {"ascend": "quay.io/ascend/vllm-ascend:v{version}"}
SPLIT: Final[Split] = "tensor"
UTILISATION: Final = 0.90
BATCH_TOKENS: Final = 8192
MICRO_BATCH: Final = 0
SEQUENCES: Final = None
DRAFTS: Final = True
KEY_VARIABLE: Final = vllm.KEY_VARIABLE
PHASES: Final = vllm.PHASES


def launch(order: Order) -> Launch:
    """`vllm serve`; drafting by its own method, in eager mode, as its guide has it."""
    plain = vllm.launch(dataclasses.replace(order, draft_tokens=0))
    if not order.draft_tokens:
        return plain
    config = f'{{"num_speculative_tokens": {order.draft_tokens}, "method": "deepseek_mtp", "enforce_eager": true}}'
    return dataclasses.replace(plain, arguments=(*plain.arguments, "--speculative-config", config))
