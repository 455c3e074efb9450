"""Writes a GGUF file of GLM-4's architecture (glm4) with random weights, under a megabyte, in a moment.

    python tests/serving/tiny_gguf.py FILE

It answers nonsense, but through the same code of llama.cpp as the real model.
"""

import sys
from pathlib import Path

import gguf
import numpy as np

LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD_SIZE, FEED_FORWARD, CONTEXT = 2, 64, 4, 2, 16, 128, 4096
CONTROL = ("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
TEMPLATE = (
    "[gMASK]<sop>{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def write(path: Path) -> None:
    """Write the file."""
    writer = gguf.GGUFWriter(path, "glm4")
    _describe(writer)
    finish(writer, tensors(add_words(writer)))


def finish(writer: "gguf.GGUFWriter", shapes: dict[str, tuple[int, ...]]) -> None:
    """Add tensors of these shapes and write everything."""
    for name, shape in shapes.items():
        writer.add_tensor(name, _values(name, shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: "gguf.GGUFWriter") -> None:
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_SIZE)
    writer.add_value_length(HEAD_SIZE)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HEAD_SIZE // 2)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def add_words(writer: "gguf.GGUFWriter") -> int:
    """A word for every byte, in the spelling of GPT-2, and the control words; how many there are."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    words = [chr(byte) for byte in plain] + [chr(256 + place) for place in range(len(others))]
    kinds = [gguf.TokenType.NORMAL] * len(words) + [gguf.TokenType.CONTROL] * len(CONTROL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("glm4")
    writer.add_token_list([*words, *CONTROL])
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{words[0]} {words[1]}"])
    writer.add_eos_token_id(len(words))
    writer.add_eot_token_id(len(words) + CONTROL.index("<|user|>"))
    writer.add_chat_template(TEMPLATE)
    return len(words) + len(CONTROL)


def tensors(words: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (words, HIDDEN), "output_norm": (HIDDEN,)}
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.{name}": (HIDDEN,) for name in ("attn_norm", "post_attention_norm", "ffn_norm")}
        shapes |= {
            f"blk.{layer}.post_ffw_norm": (HIDDEN,),
            f"blk.{layer}.attn_q": (HEADS * HEAD_SIZE, HIDDEN),
            f"blk.{layer}.attn_k": (KV_HEADS * HEAD_SIZE, HIDDEN),
            f"blk.{layer}.attn_v": (KV_HEADS * HEAD_SIZE, HIDDEN),
            f"blk.{layer}.attn_output": (HIDDEN, HEADS * HEAD_SIZE),
            f"blk.{layer}.ffn_up": (2 * FEED_FORWARD, HIDDEN),
            f"blk.{layer}.ffn_down": (HIDDEN, FEED_FORWARD),
        }
    return {f"{name}.weight": shape for name, shape in shapes.items()}


def _values(name: str, shape: tuple[int, ...]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    if "norm" in name:
        return np.ones(shape, dtype=np.float32)
    return np.random.default_rng(len(name)).normal(0, 0.1, shape).astype(np.float32)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
