"""How much of their words two answers share, in order: ROUGE-L (Lin 2004, "ROUGE: A Package for Automatic Evaluation
of Summaries", section 3.1) as an F1, 2·LCS / (words of one + words of the other).
"""

import re
from functools import lru_cache
from typing import Final

from llmmigrate.shadow.measures import Asked
from llmmigrate.shadow.pairs import Answer

NAME: Final = "lexical_similarity"
KIND: Final = "agreement"
ABOUT: Final = "Longest common sequence of words, 2·LCS / (m + n); of longer answers the first 2,000 words."

_WORDS: Final = 2_000
"""Words of an answer that count: the time grows with the product of both lengths."""
_UNSPACED: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
"""Scripts that are written without spaces (Japanese, Chinese) or with few (Korean): each sign is a word."""
_WORD: Final = re.compile(f"[{_UNSPACED}]|[^\\W{_UNSPACED}]+")


def agree(asked: Asked, one: Answer, other: Answer) -> float | None:
    """0 to 1; None where neither answer has a word."""
    first, second = words(one.text), words(other.text)
    if not first and not second:
        return None
    from rapidfuzz.distance import Indel

    return Indel.normalized_similarity(first, second)


@lru_cache(maxsize=16)
def words(text: str) -> tuple[str, ...]:
    """The first words of a text, without capitals and punctuation. Kept for a moment: each text is compared often."""
    return tuple(_WORD.findall(text.casefold())[:_WORDS])
