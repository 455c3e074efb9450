"""Writes a checkpoint of GLM-5's architecture (glm_moe_dsa) with random weights, under a megabyte, in a second.

    python tests/serving/tiny_glm5.py FOLDER

It answers nonsense, but through the same code as the real model: latent attention, an indexer, routed experts.
"""

import sys
from pathlib import Path
from typing import Any

CONTROL = ("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
THOUGHT = ("<think>", "</think>")
TEMPLATE = (
    "[gMASK]<sop>{% for m in messages %}"
    "<|{{ m.role if m.role != 'tool' else 'observation' }}|>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>{% endif %}"
)
TEXT = ["What would the same traffic cost elsewhere, and how is it moved there and back? 0123456789\n"] * 8


def write(folder: Path) -> None:
    """Write the checkpoint."""
    import torch
    from transformers import GenerationConfig, GlmMoeDsaConfig, GlmMoeDsaForCausalLM

    tokenizer = make_tokenizer()
    end = tokenizer.convert_tokens_to_ids(CONTROL[0])
    config = GlmMoeDsaConfig(
        vocab_size=len(tokenizer) // 64 * 64 + 64, hidden_size=64, intermediate_size=128, moe_intermediate_size=32,
        num_hidden_layers=3, first_k_dense_replace=1, num_attention_heads=4, num_key_value_heads=4, q_lora_rank=48,
        kv_lora_rank=32, qk_rope_head_dim=16, qk_nope_head_dim=16, v_head_dim=32, n_routed_experts=8,
        n_shared_experts=1, num_experts_per_tok=2, index_topk=32, index_head_dim=32, index_n_heads=4,
        max_position_embeddings=4096, pad_token_id=end, bos_token_id=None, eos_token_id=end, tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    model = GlmMoeDsaForCausalLM(config).to(torch.bfloat16).eval()
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=end, do_sample=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_tokenizer() -> Any:
    """A tokenizer of GLM's control words, a few words, and every byte."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = [*CONTROL, *THOUGHT]
    words.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=384, special_tokens=special, initial_alphabet=alphabet)
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token=CONTROL[0], pad_token=CONTROL[0])
    tokenizer.chat_template = TEMPLATE
    return tokenizer


if __name__ == "__main__":
    write(Path(sys.argv[1]))
