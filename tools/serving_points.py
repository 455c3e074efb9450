"""What others published about serving these models, beside what the planner says: a table for docs/serving.md."""

from collections.abc import Callable
from typing import Final, NamedTuple

from llmmigrate.serving.catalogue import find_model
from llmmigrate.serving.fit import Choice, Wish, choices
from llmmigrate.serving.pool import named_pool


class Point(NamedTuple):
    """A statement about one checkpoint on one machine, and the planner's figure for it."""

    model: str
    on: str
    precision: str
    engine: str
    published: str
    figure: Callable[[Choice], str]
    source: str


def verdict(choice: Choice) -> str:
    """`fits`, or what is missing."""
    return "fits" if choice.fits else f"{choice.missing_bytes / 1e9:.1f} GB a device are missing"


def tokens_beside(published: int) -> Callable[[Choice], str]:
    """The cache's tokens and how far they are from a published number."""
    return lambda choice: f"{choice.kv_tokens:,} tokens ({100 * (choice.kv_tokens / published - 1):+.1f} %)"


def context(choice: Choice) -> str:
    """The longest context."""
    return f"{choice.context:,} tokens of context"


COOKBOOK: Final = "SGLang cookbook"
CARD: Final = "gpustack/GLM-5.3-W4A8"
POINTS: Final = (
    Point("glm-5", "8xH200", "fp8", "vllm", "fits", verdict, "vLLM recipes"),
    Point("glm-5", "8xH20", "fp8", "vllm", "fits (141 GB cards)", verdict, "vLLM recipes"),
    Point("glm-5", "8xB200", "fp8", "sglang", "fits", verdict, COOKBOOK),
    Point("glm-5", "8xH100", "fp8", "sglang", "needs 16", verdict, COOKBOOK),
    Point("glm-5", "16xH100", "fp8", "sglang", "fits", verdict, COOKBOOK),
    Point("glm-5", "16xH200", "bf16", "sglang", "fits", verdict, COOKBOOK),
    Point("glm-5", "32xH100", "bf16", "sglang", "fits", verdict, COOKBOOK),
    Point("glm-5", "4xB200", "nvfp4", "sglang", "fits", verdict, COOKBOOK),
    Point("glm-5", "8xmi300x", "bf16", "sglang", "fits", verdict, COOKBOOK),
    Point("glm-5", "8xmi355x", "bf16", "sglang", "fits", verdict, COOKBOOK),
    Point("glm-5", "8xascend-a2", "w4a8", "vllm_ascend", "32,768 tokens of context", context, "vllm-ascend GLM5.md"),
    Point("glm-5", "16xascend-a3", "w4a8", "vllm_ascend", "200,000 tokens of context", context, "vllm-ascend GLM5.md"),
    Point("glm-5.2", "8xH200", "fp8", "sglang", "about 500,000 tokens", tokens_beside(500_000), "PhalaCloud"),
    Point("glm-5.3", "8xH20", "w4a8", "vllm", "1.26M tokens of cache", tokens_beside(1_260_000), CARD),
    Point("glm-5.3", "8xH20", "fp8", "vllm", "608k tokens of cache", tokens_beside(608_000), CARD),
    Point("glm-5.3", "8xB200", "fp8", "vllm", "1,048,576 tokens of context", context, "vLLM recipes"),
)


def table() -> str:
    """The points as a Markdown table."""
    lines = ["| model | machine | precision | published | the planner | who published |", "|---|---|---|---|---|---|"]
    for point in POINTS:
        name, model = find_model(point.model)
        (choice,) = choices(name, model, named_pool(point.on), Wish(precision=point.precision, engine=point.engine))
        row = (point.model, point.on, point.precision, point.published, point.figure(choice), point.source)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)
