"""vLLM: NVIDIA and AMD."""

import re
from typing import Final

from llmmigrate.serving.engines import Launch, Order, Phase, Split

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
    Phase("starting the server", re.compile(r"Started server process|Waiting for application startup")),
)


def launch(order: Order) -> Launch:
    """`vllm serve`; a plan of several machines runs on a Ray cluster."""
    arguments = [
        EXECUTABLE, "serve", order.checkpoint, "--host", order.host, "--port", str(order.port),
        "--served-model-name", order.served_name, "--tensor-parallel-size", str(order.tensor),
        "--max-model-len", str(order.context), "--gpu-memory-utilization", f"{order.utilisation:g}",
    ]  # fmt: skip
    if order.data > 1:
        arguments += ["--data-parallel-size", str(order.data)]
    if order.expert_parallel:
        arguments.append("--enable-expert-parallel")
    if order.kv_precision == "fp8":
        arguments += ["--kv-cache-dtype", "fp8"]
    if order.sequences is not None:
        arguments += ["--max-num-seqs", str(order.sequences)]
    if order.draft_tokens:
        method, number = "--speculative-config.method", "--speculative-config.num_speculative_tokens"
        arguments += [method, "mtp", number, str(order.draft_tokens)]
    recipe = order.recipe
    environment = dict(recipe.environment) if recipe is not None else {}
    return Launch(
        arguments=(*arguments, *(recipe.arguments if recipe else ())),
        served_model=order.served_name,
        environment=environment,
    )
