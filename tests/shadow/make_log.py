"""A log with request and response bodies, made for tests: chat completions as a capture writes them."""

import hashlib
import json
import random
import string
from pathlib import Path
from typing import Any

START = 1_790_000_000
WORDS = [f"word{number}" for number in range(500)]


def record(number: int, *, model: str = "o3", tokens: tuple[int, int] = (60, 40), **request: Any) -> dict[str, Any]:
    """One exchange: a question of some length and its answer, with these counts of prompt and reply."""
    chance = random.Random(number)
    question = " ".join(chance.choices(WORDS, k=chance.randint(5, 60)))
    body = {"model": model, "messages": [{"role": "user", "content": f"{number}: {question}"}], **request}
    answer = " ".join(answer_to(body))
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
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


def answer_to(body: dict[str, Any], subject: str = "") -> list[str]:
    """Twenty words that the last question of a request decides, in whichever dialect it is asked."""
    turns: Any = body.get("messages") or body.get("input")
    question = turns if isinstance(turns, str) else turns[-1]["content"]
    if not isinstance(question, str):
        question = "".join(part["text"] for part in question)
    own = random.Random(hashlib.sha256((subject + question).encode()).digest())
    return own.choices(WORDS, k=20)


def write_log(path: Path, count: int, **more: Any) -> Path:
    """A log of so many calls."""
    path.write_text("".join(json.dumps(record(number, **more)) + "\n" for number in range(count)))
    return path


def write_short_prompts(path: Path, count: int, *, model: str, tokens: int) -> None:
    """A log of so many calls to the provider `here`, for answers of so many tokens; each prompt is one letter."""
    lines = [record(number, model=model) for number in range(count)]
    for letter, line in zip(string.ascii_lowercase[:count], lines, strict=True):
        line["provider"] = "here"
        line["request"] = {"model": model, "messages": [{"role": "user", "content": letter}], "max_tokens": tokens}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
