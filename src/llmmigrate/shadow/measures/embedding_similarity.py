"""How near the meanings of two answers are, by an embedding model: the cosine of their vectors, below 0 counted as 0.

The vectors come from whoever runs the measure: `vectors(text) -> Sequence[float] | None`, for every text that
`texts_of` names, None where an endpoint gave none. Unrelated texts have a cosine well above 0 with most models; the
control (answers to other requests) shows how far above.
"""

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from llmmigrate.shadow.measures import Asked, NotMeasuredError
from llmmigrate.shadow.pairs import Answer

NAME: Final = "embedding_similarity"
KIND: Final = "agreement"
NEEDS: Final = "vectors"
ABOUT: Final = "Cosine of the embedding vectors of two answers, by an endpoint's /v1/embeddings."

Vectors = Callable[[str], Sequence[float] | None]


def texts_of(answers: Iterable[Answer | None]) -> list[str]:
    """The texts that need a vector before these answers can be compared, each once."""
    said = (answer.text.strip() for answer in answers if answer is not None)
    return list(dict.fromkeys(text for text in said if text))


def agree(asked: Asked, one: Answer, other: Answer, *, vectors: Vectors) -> float | None:
    """0 to 1; None where neither says anything, 0 where only one does. NotMeasuredError without usable vectors."""
    first, second = one.text.strip(), other.text.strip()
    if not first or not second:
        return 0.0 if first or second else None
    left, right = vectors(first), vectors(second)
    if left is None or right is None:
        raise NotMeasuredError("there is no vector for an answer")
    if len(left) != len(right):
        raise NotMeasuredError(f"the vectors have {len(left)} and {len(right)} numbers")
    size = math.hypot(*left) * math.hypot(*right)
    if not size or not math.isfinite(size):
        raise NotMeasuredError("a vector has no direction")
    cosine: float = sum(map(operator.mul, left, right)) / size
    return min(1.0, max(0.0, cosine))
