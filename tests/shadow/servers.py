"""What the two sides of a comparison say in tests: answers that depend on the question, with noise and errors."""

import random
from collections.abc import Callable
from typing import Any

from tests.shadow.make_log import WORDS, answer_to

Say = Callable[[dict[str, Any]], tuple[str, ...]]


def speaker(*, noise: float = 0.0, drop: float = 0.0, seed: int = 0) -> Say:
    """Answers each question in twenty words of its own.

    `noise`: the part of the words that differs from call to call. `drop`: the part of the answers that are about
    something else.
    """
    chance = random.Random(seed)

    def say(body: dict[str, Any]) -> tuple[str, ...]:
        words = answer_to(body, "elsewhere" if chance.random() < drop else "")
        return tuple(f"{chance.choice(WORDS) if chance.random() < noise else word} " for word in words)

    return say
