"""How much memory serving takes, per device. The formulas, and what they were held against, are in docs/serving.md."""

import dataclasses
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
_SCALE_BYTES: Final = 4
_MASK_BYTES: Final = 2
_SCORE_BYTES: Final = 6
"""Of a score and its own mask, beside the other mask. Both measured: of llama-server 0.5.0-dev (0c1e570) the compute
buffer grew by 1,024 bytes a token of context without an indexer and by 4,096 with one, at batches of 512."""


def kv_bytes_per_token(cache: Cache, precision: KvPrecision, *, draft: bool = False, ranks: int = 1) -> int:
    """Bytes that one token takes on each device.

    A latent cache (MLA) lies whole on every tensor-parallel rank; keys and values are shared among `ranks`. What
    `f16` takes was measured on llama-server: tests/serving/test_gguf.py.
    """
    layers = cache.layers + (cache.draft_layers if draft else 0)
    if not cache.latent:
        width = 1 if precision == "fp8" else 2
        return layers * 2 * -(-cache.heads // min(ranks, cache.heads)) * cache.head_size * width
    keys = _indexer_layers(cache, precision, draft=draft) * _indexer_bytes(cache, precision)
    return layers * _latent_bytes(cache, precision) + keys


def of_busiest(cache: Cache, devices: int) -> Cache:
    """What the device with the most layers keeps, where each of `devices` has some of the layers."""
    own = cache.indexer_layers
    return dataclasses.replace(
        cache,
        layers=-(-cache.layers // devices),
        indexer_layers=-(-own // devices) if own is not None else None,
        indexer_layers_allocated=None,
    )


def context_bytes(cache: Cache, batch_tokens: int) -> int:
    """Workspace for each token of one request's context, for batches of which so many tokens are computed together."""
    return batch_tokens * (_MASK_BYTES + (_SCORE_BYTES if cache.indexer else 0))


def kv_bytes_read(cache: Cache, precision: KvPrecision, context: int) -> int:
    """Bytes of cache that one decoding step of one sequence reads on each device (one rank)."""
    per_token = kv_bytes_per_token(cache, precision)
    if cache.sparse_top is None:
        return context * per_token
    keys = _indexer_layers(cache, precision, draft=False) * _indexer_bytes(cache, precision)
    return min(context, cache.sparse_top) * (per_token - keys) + context * keys


def reserved_bytes(shape: Shape, batch_tokens: int) -> int:
    """What must stay free beside weights and cache, for prefill batches of `batch_tokens`."""
    return RESERVE_BYTES + ACTIVATION_BYTES * batch_tokens * shape.hidden


def _latent_bytes(cache: Cache, precision: KvPrecision) -> int:
    """Bytes of the latent vector of one layer."""
    if precision != "fp8":
        return 2 * (cache.latent + cache.rope)
    if cache.indexer:
        return cache.latent + 2 * cache.rope + 4 * (cache.latent // _GROUP)
    return cache.latent + cache.rope


def _indexer_bytes(cache: Cache, precision: KvPrecision) -> int:
    """Bytes of the indexer in one layer: a key in FP8 with its scale, or all vectors in two bytes a value."""
    if not cache.indexer:
        return 0
    return 2 * cache.indexer_vectors * cache.indexer if precision == "f16" else cache.indexer + _SCALE_BYTES


def _indexer_layers(cache: Cache, precision: KvPrecision, *, draft: bool) -> int:
    """llama.cpp sets a cache aside only where there is an indexer; others are known to take more layers."""
    own = cache.layers if cache.indexer_layers is None else cache.indexer_layers
    layers = own if precision == "f16" else cache.indexer_layers_allocated or own
    return layers + (cache.draft_layers if draft else 0)
