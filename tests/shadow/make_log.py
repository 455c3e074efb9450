"""A log with request and response bodies, made for tests: chat completions as a capture writes them."""

import json
import random
from pathlib import Path
from typing import Any

START = 1_790_000_000
WORDS = "the quick brown fox jumps over a lazy dog while seven wizards boil fresh tea".split()


def record(number: int, *, model: str = "o3", **request: Any) -> dict[str, Any]:
    """One exchange: a question of some length and its answer."""
    chance = random.Random(number)
    question = " ".join(chance.choices(WORDS, k=chance.randint(5, 60)))
    answer = " ".join(chance.choices(WORDS, k=chance.randint(5, 40)))
    body = {"model": model, "messages": [{"role": "user", "content": f"{number}: {question}"}], **request}
    usage = {"prompt_tokens": len(question) // 4, "completion_tokens": len(answer) // 4}
    return {
        "timestamp": START + number,
        "provider": "openai",
        "latency_ms": 400 + chance.random() * 200,
        "request": body,
        "response": {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}],
            "usage": usage,
        },
    }


def write_log(path: Path, count: int, **more: Any) -> Path:
    """A log of so many calls."""
    path.write_text("".join(json.dumps(record(number, **more)) + "\n" for number in range(count)))
    return path
