"""Writes a GGUF file of GLM-5's architecture (glm-dsa) with random weights, some megabytes, in a moment.

    python -m tests.serving.tiny_glm_dsa FILE

What llama.cpp keeps of a token is as large as in a layer of the real model: it takes no smaller latent vector.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import gguf
from tests.serving import tiny_gguf

LATENT, ROPE, INDEXER = 512, 64, 128
HIDDEN, HEADS, SIZE, EXPERTS, CONTEXT = 64, 4, 64, 4, 4096
"""SIZE: of a head, of the feed-forward parts and of what lies between."""
Shapes = dict[str, tuple[int, ...]]


def write(path: Path, *, indexers: Sequence[bool] = (True,) * 4, drafts: int = 0, context: int = CONTEXT) -> None:
    """Write the file: a layer for each of `indexers`, saying whether it has one, and so many drafting layers."""
    writer = gguf.GGUFWriter(path, "glm-dsa")
    _describe(writer, [*indexers, *[True] * drafts], context)
    if drafts:
        writer.add_nextn_predict_layers(drafts)
    if not all(indexers):
        writer.add_array("glm-dsa.attention.indexer.types", list(indexers))
    words = tiny_gguf.add_words(writer)
    tiny_gguf.finish(writer, _tensors(words, [*indexers, *[True] * drafts], len(indexers)))


def _describe(writer: "gguf.GGUFWriter", layers: Sequence[bool], context: int) -> None:
    writer.add_block_count(len(layers))
    writer.add_context_length(context)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(SIZE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_key_length(LATENT + ROPE)
    writer.add_value_length(LATENT)
    writer.add_key_length_mla(SIZE + ROPE)
    writer.add_value_length_mla(SIZE)
    writer.add_q_lora_rank(SIZE)
    writer.add_kv_lora_rank(LATENT)
    writer.add_rope_dimension_count(ROPE)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_expert_count(EXPERTS)
    writer.add_expert_used_count(2)
    writer.add_expert_shared_count(1)
    writer.add_expert_feed_forward_length(SIZE)
    writer.add_expert_weights_scale(1.0)
    writer.add_leading_dense_block_count(1)
    writer.add_indexer_head_count(HEADS)
    writer.add_indexer_key_length(INDEXER)
    writer.add_indexer_top_k(32)


def _tensors(words: int, indexers: Sequence[bool], trunk: int) -> Shapes:
    shapes: Shapes = {"token_embd.weight": (words, HIDDEN), "output_norm.weight": (HIDDEN,)}
    for layer, indexer in enumerate(indexers):
        parts = _attention() | (_indexer() if indexer else {}) | (_experts() if layer else _dense())
        parts |= _draft() if layer >= trunk else {}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in parts.items()}
    return shapes


def _attention() -> Shapes:
    return {
        "attn_norm.weight": (HIDDEN,),
        "ffn_norm.weight": (HIDDEN,),
        "attn_q_a_norm.weight": (SIZE,),
        "attn_kv_a_norm.weight": (LATENT,),
        "attn_q_a.weight": (SIZE, HIDDEN),
        "attn_q_b.weight": (HEADS * (SIZE + ROPE), SIZE),
        "attn_kv_a_mqa.weight": (LATENT + ROPE, HIDDEN),
        "attn_k_b.weight": (HEADS, LATENT, SIZE),
        "attn_v_b.weight": (HEADS, SIZE, LATENT),
        "attn_output.weight": (HIDDEN, HEADS * SIZE),
    }


def _indexer() -> Shapes:
    return {
        "indexer.k_norm.weight": (INDEXER,),
        "indexer.k_norm.bias": (INDEXER,),
        "indexer.proj.weight": (HEADS, HIDDEN),
        "indexer.attn_k.weight": (INDEXER, HIDDEN),
        "indexer.attn_q_b.weight": (HEADS * INDEXER, SIZE),
    }


def _dense() -> Shapes:
    return {"ffn_gate.weight": (SIZE, HIDDEN), "ffn_up.weight": (SIZE, HIDDEN), "ffn_down.weight": (HIDDEN, SIZE)}


def _experts() -> Shapes:
    shared = {name.replace(".", "_shexp."): shape for name, shape in _dense().items()}
    routed = {name.replace(".", "_exps."): (EXPERTS, *shape) for name, shape in _dense().items()}
    return {**shared, **routed, "ffn_gate_inp.weight": (EXPERTS, HIDDEN), "exp_probs_b.bias": (EXPERTS,)}


def _draft() -> Shapes:
    return {
        "nextn.eh_proj.weight": (HIDDEN, 2 * HIDDEN),
        "nextn.enorm.weight": (HIDDEN,),
        "nextn.hnorm.weight": (HIDDEN,),
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]))
