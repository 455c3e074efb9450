"""The billable units, and the dialects, that logs, settings and price tables all speak of.

Token classes are disjoint: every token of a request is in exactly one of them, so a cost is a plain sum of
`tokens × rate`. The names follow OpenTelemetry GenAI where it has one.
"""

from typing import Final, Literal, get_args

TokenClass = Literal[
    "input",  # prompt tokens that were neither read from nor written to a cache, text and images
    "input_audio",
    "cache_read",
    "cache_write_5m",  # also a cache write whose time to live the log does not tell
    "cache_write_1h",
    "output",  # visible output
    "output_audio",
    "reasoning",  # hidden reasoning that is billed as output
]
TOKEN_CLASSES: Final[tuple[TokenClass, ...]] = get_args(TokenClass)
INPUT_CLASSES: Final[tuple[TokenClass, ...]] = TOKEN_CLASSES[:5]
OUTPUT_CLASSES: Final[tuple[TokenClass, ...]] = TOKEN_CLASSES[5:]

CountClass = Literal["request", "search", "image"]
"""What is billed by the piece: requests, web searches, generated images."""
COUNT_CLASSES: Final[tuple[CountClass, ...]] = get_args(CountClass)

ServiceTier = Literal["standard", "batch", "flex", "priority", "fast"]
SERVICE_TIERS: Final[tuple[ServiceTier, ...]] = get_args(ServiceTier)

Dialect = Literal["openai-chat", "openai-responses", "anthropic-messages"]
"""The API that an endpoint speaks."""

NANOSECONDS: Final = 1_000_000_000
PICO: Final = 1_000_000_000_000
"""Logged costs are held as whole 1e-12 of the currency, so that sums are exact in any order."""
