"""The command line of engines that spread every layer over all devices: the same decisions under other names."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmmigrate.serving.engines import Launch, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an engine calls the parts of a plan."""

    tensor: str
    data: str
    context: str
    utilisation: str
    sequences: str
    fp8: str
    """The type of a cache in FP8."""


def launch(
    program: Sequence[str], order: Order, options: Options, *, experts: Sequence[str], drafts: Sequence[str]
) -> Launch:
    """`program`, with the plan in the engine's words; `experts` spread the experts, `drafts` use the draft layer."""
    arguments = [
        *program, "--host", order.host, "--port", str(order.port), "--served-model-name", order.served_name,
        options.tensor, str(order.tensor), options.context, str(order.context),
        options.utilisation, f"{order.utilisation:g}",
    ]  # fmt: skip
    if order.data > 1:
        arguments += [options.data, str(order.data)]
    if order.expert_parallel:
        arguments += experts
    if order.kv_precision == "fp8":
        arguments += ["--kv-cache-dtype", options.fp8]
    if order.sequences is not None:
        arguments += [options.sequences, str(order.sequences)]
    if order.draft_tokens:
        arguments += drafts
    recipe = order.recipe
    return Launch(
        arguments=(*arguments, *(recipe.arguments if recipe else ())),
        served_model=order.served_name,
        environment=dict(recipe.environment) if recipe else {},
    )
