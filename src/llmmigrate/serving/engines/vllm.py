"""vLLM: NVIDIA and AMD."""

import re
from typing import Final

from llmmigrate.serving.engines import UVICORN_STARTS, Launch, Order, Phase, Split, _tensor
from llmmigrate.serving.engines._tensor import Options

TITLE: Final = "vllm"
EXECUTABLE: Final = "vllm"
DISTRIBUTION: Final = "vllm"
VERSION: Final = None
INSTALL: Final = "pip install vllm (https://docs.vllm.ai/en/latest/getting_started/installation)"
IMAGES: Final = {"nvidia": "vllm/vllm-openai:v{version}", "amd": "vllm/vllm-openai-rocm:v{version}"}
SPLIT: Final[Split] = "tensor"
UTILISATION: Final = 0.90
BATCH_TOKENS: Final = 8192
MICRO_BATCH: Final = 0
SEQUENCES: Final = None
DRAFTS: Final = True
KEY_VARIABLE: Final = "VLLM_API_KEY"
PHASES: Final = (
    Phase("downloading weights", re.compile(r"[Dd]ownload.*?(\d+)%|Time spent downloading weights")),
    Phase("loading weights", re.compile(r"Loading (?:safetensors|pt) checkpoint shards:\s+(\d+)% Completed")),
    Phase("loading weights", re.compile(r"Starting to load model|Loading model weights")),
    Phase(
        "compiling",
        re.compile(r"torch\.compile takes|Start compiling|Compiling a graph|Warming up model for the compilation"),
    ),
    Phase("warming up", re.compile(r"Capturing CUDA graphs?.*?(\d+)%|Capturing cudagraphs|[CG]PU KV cache size")),
    UVICORN_STARTS,
)

_OPTIONS: Final = Options(
    tensor="--tensor-parallel-size",
    data="--data-parallel-size",
    context="--max-model-len",
    utilisation="--gpu-memory-utilization",
    sequences="--max-num-seqs",
    fp8="fp8",
)


def launch(order: Order) -> Launch:
    """`vllm serve`; a plan of several machines runs on a Ray cluster."""
    method, number = "--speculative-config.method", "--speculative-config.num_speculative_tokens"
    return _tensor.launch(
        (EXECUTABLE, "serve", order.checkpoint),
        order,
        _OPTIONS,
        experts=["--enable-expert-parallel"],
        drafts=[method, "mtp", number, str(order.draft_tokens)],
    )
