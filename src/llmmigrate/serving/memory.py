"""How much memory serving takes, per device. The formulas, and what they were held against, are in docs/serving.md."""

from typing import Final

from llmmigrate.serving.catalogue import Cache, KvPrecision, Shape

RESERVE_BYTES: Final = 1_000_000_000
"""What a process keeps for itself on a device: driver context, graphs, communication buffers."""
ACTIVATION_BYTES: Final = 89
"""Bytes of workspace for one token of a prefill batch and one unit of the hidden size.

Calibrated: GLM-5.3 on 8×H20 141 GB was published with a cache of 608,000 tokens in FP8 and 1.26 million in W4A8
(https://huggingface.co/gpustack/GLM-5.3-W4A8); at 90 % of the memory this puts them at -5.7 % and +2.3 %. Of other
models it is an assumption."""

_GROUP: Final = 128
"""Latent values that share one scale in the FP8 cache of sparse attention."""


def kv_bytes_per_token(cache: Cache, precision: KvPrecision, *, draft: bool = False, ranks: int = 1) -> int:
    """Bytes that one token takes on each device.

    A latent cache (MLA) lies whole on every tensor-parallel rank; keys and values are shared among `ranks`.
    """
    layers = cache.layers + (cache.draft_layers if draft else 0)
    if not cache.latent:
        width = 1 if precision == "fp8" else 2
        return layers * 2 * -(-cache.heads // min(ranks, cache.heads)) * cache.head_size * width
    if precision == "bf16":
        latent = 2 * (cache.latent + cache.rope)
    elif cache.indexer:
        latent = cache.latent + 2 * cache.rope + 4 * (cache.latent // _GROUP)
    else:
        latent = cache.latent + cache.rope
    return layers * latent + _indexer_layers(cache, draft=draft) * cache.indexer


def kv_bytes_read(cache: Cache, precision: KvPrecision, context: int) -> int:
    """Bytes of cache that one decoding step of one sequence reads on each device (one rank)."""
    per_token = kv_bytes_per_token(cache, precision)
    if cache.sparse_top is None:
        return context * per_token
    keys = _indexer_layers(cache, draft=False) * cache.indexer
    return min(context, cache.sparse_top) * (per_token - keys) + context * keys


def reserved_bytes(shape: Shape, batch_tokens: int) -> int:
    """What must stay free beside weights and cache, for prefill batches of `batch_tokens`."""
    return RESERVE_BYTES + ACTIVATION_BYTES * batch_tokens * shape.hidden


def _indexer_layers(cache: Cache, *, draft: bool) -> int:
    layers = cache.indexer_layers_allocated or cache.indexer_layers or cache.layers
    return layers + (cache.draft_layers if draft else 0)
