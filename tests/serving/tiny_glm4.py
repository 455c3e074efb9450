"""Writes a checkpoint of GLM-4's architecture (glm4) with random weights, under a megabyte, in a second.

    python -m tests.serving.tiny_glm4 FOLDER

For engines that have no sparse attention on the processor. It answers nonsense, but through the same code as the real
model.
"""

import sys
from pathlib import Path

from tests.serving.tiny_glm5 import CONTROL, make_tokenizer


def write(folder: Path) -> None:
    """Write the checkpoint."""
    import torch
    from transformers import GenerationConfig, Glm4Config, Glm4ForCausalLM

    tokenizer = make_tokenizer()
    end = tokenizer.convert_tokens_to_ids(CONTROL[0])
    config = Glm4Config(
        vocab_size=len(tokenizer) // 64 * 64 + 64, hidden_size=128, intermediate_size=256, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=64, max_position_embeddings=4096, pad_token_id=end,
        bos_token_id=None, eos_token_id=end, tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Glm4ForCausalLM(config).to(torch.bfloat16).eval()
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=end, do_sample=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
