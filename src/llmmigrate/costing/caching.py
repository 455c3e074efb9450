"""How much of the input a prefix cache could serve: calls that begin as an earlier one did.

A prompt is cut into blocks, each named by a hash of everything up to its end: those that the log gives (`hash_ids`,
512 tokens a block), or of its own text. Blocks at the start of a call that an earlier call had are served, as long as
the cache keeps them; every use keeps them longer. That is a bound from above: a server may forget earlier, spread calls
over machines, or keep fewer prefixes.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from llmmigrate.costing.potential import CacheKept, PrefixCaching
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.call import Call

HASHED_TOKENS: Final = 512
"""Tokens of a block that is named by the log's own `hash_ids` (Mooncake traces)."""
BLOCK_BYTES: Final = 512
"""Of text, about 128 tokens: the step in which OpenAI counts cached tokens."""
MINIMUM: Final = 1024
"""Tokens below which OpenAI and Anthropic serve nothing from a cache."""
KEPT: Final[tuple[int | None, ...]] = (300, 3_600, 86_400, None)
"""Seconds without use after which a prefix is forgotten: five minutes (OpenAI in memory, Anthropic), an hour, a day
(the longest that either offers), never."""


class _Asked(NamedTuple):
    """One call: when, how many input tokens, which blocks, and tokens a block."""

    start_ns: int
    tokens: int
    cached: int
    blocks: tuple[int, ...]
    size: float


class PrefixCache:
    """Takes calls in any order, and tells at the end what caches of several kinds would have served."""

    def __init__(self) -> None:
        self._asked: list[_Asked] = []
        self._input = 0
        self._hashed = 0

    def add(self, call: Call) -> None:
        """Take a call; one without a prompt, an instant or usage only counts for how much of the log is spoken for."""
        if call.usage not in ("known", "estimated"):
            return
        self._input += call.input_tokens
        if call.start_ns is None or call.request is None or not call.input_tokens:
            return
        hashed = call.request.get("hash_ids")
        self._hashed += hashed is not None
        blocks, size = _given(hashed) if hashed is not None else _of_text(call.request, call.input_tokens)
        if blocks:
            self._asked.append(_Asked(call.start_ns, call.input_tokens, call.cached_input_tokens, blocks, size))

    def result(self) -> PrefixCaching | None:
        """What was found; None for a log without prompts."""
        if not self._asked:
            return None
        served = dict.fromkeys(KEPT, 0)
        last_used: dict[int, int] = {}
        for asked in sorted(self._asked):
            for kept, tokens in _served(asked, last_used):
                served[kept] += tokens
            last_used.update(dict.fromkeys(asked.blocks, asked.start_ns))
        tokens = sum(asked.tokens for asked in self._asked)
        return PrefixCaching(
            calls=len(self._asked),
            input_tokens=tokens,
            input_share=round(tokens / self._input, 6),
            cached_now=sum(asked.cached for asked in self._asked),
            basis="block hashes" if self._hashed == len(self._asked) else "texts",
            minimum_tokens=MINIMUM,
            kept=[
                CacheKept(seconds=kept, tokens=count, share=round(count / tokens, 6)) for kept, count in served.items()
            ],
        )


def _served(asked: _Asked, last_used: Mapping[int, int]) -> Iterator[tuple[int | None, int]]:
    """Tokens that each kind of cache serves of a call; the one that never forgets has no minimum either."""
    ages = []
    for block in asked.blocks:
        if block not in last_used:
            break
        ages.append(asked.start_ns - last_used[block])
    for kept in KEPT:
        if kept is None:
            yield kept, min(asked.tokens, int(len(ages) * asked.size))
            continue
        count = next((place for place, age in enumerate(ages) if age > kept * NANOSECONDS), len(ages))
        tokens = min(asked.tokens, int(count * asked.size))
        yield kept, tokens if tokens >= MINIMUM else 0


def _given(hashes: Any) -> tuple[tuple[int, ...], float]:
    """The log's own blocks; none where they are no whole numbers."""
    if not isinstance(hashes, list) or not all(type(part) is int for part in hashes):
        return (), 0.0
    return tuple(hashes), float(HASHED_TOKENS)


def _of_text(request: Mapping[str, Any], tokens: int) -> tuple[tuple[int, ...], float]:
    """Blocks of a prompt's text: tools first, then the messages, as vendors cache them."""
    text = _prompt(request)
    digest = hashlib.blake2b(digest_size=8)
    blocks = []
    for start in range(0, len(text), BLOCK_BYTES):
        digest.update(text[start : start + BLOCK_BYTES])
        blocks.append(int.from_bytes(digest.digest(), "big"))
    return tuple(blocks), tokens * BLOCK_BYTES / len(text) if text else 0.0


def _prompt(request: Mapping[str, Any]) -> bytes:
    parts = [request.get("tools"), request.get("system"), request.get("instructions")]
    for name in ("messages", "input", "prompt", "contents"):
        held = request.get(name)
        parts += held if isinstance(held, list) else [held]
    return b"".join(msgspec.json.encode(part) + b"\n" for part in parts if part)
