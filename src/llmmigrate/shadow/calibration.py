"""How many tokens the target takes for what the log holds, measured: `calibration.json` (llmmigrate.calibration/1).

The calls are drawn with replacement, each with probability proportional to its logged tokens, so a few hundred speak
for the cost of the whole log (docs/shadow-statistics.md). What a call says is divided by its size again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from llmmigrate.costing.results import Record
from llmmigrate.errors import InputError
from llmmigrate.shadow.pairs import Sampled, Tokens
from llmmigrate.statistics.ratios import ratio_of_totals

SCHEMA: Final = "llmmigrate.calibration/1"
CONFIDENCE: Final = 0.95
STRATUM_DRAWS: Final = 30
"""A part of the traffic has ratios of its own from so many draws on."""
APPROXIMATE_ABOVE: Final = 0.6
"""Of sigma: beyond it the interval holds the truth somewhat less often than it says."""

ABOUT: Final[Mapping[str, str]] = {
    "input": "input tokens for each logged input token",
    "output": "output tokens, reasoning included, for each logged output token",
    "visible_output": "visible output tokens for each logged visible output token",
    "reasoning": "reasoning tokens for each logged reasoning token",
    "reasoning_per_visible": "reasoning tokens for each logged visible output token",
    "cached_share": "tokens read from the cache for each input token, both of the target",
}
"""What each ratio is, on the target's side first."""


class Draw(NamedTuple):
    """One draw of the cost sample: what was logged, and what the target took; None where it failed or sent no usage."""

    logged: Sampled
    target: Tokens | None
    strata: tuple[str, ...] = ()
    """The parts of the traffic that it belongs to, by its tags: `route=/answer`."""


class TokenRatio(Record, frozen=True, kw_only=True):
    """A measured ratio with its 95 % interval."""

    ratio: float
    low: float
    high: float
    sigma: float
    """How unequal single calls are: the standard deviation of the logarithm of a ratio."""
    approximate: bool
    draws: int


class Stratum(Record, frozen=True, kw_only=True):
    """The ratios of a part of the traffic."""

    name: str
    draws: int
    ratios: dict[str, TokenRatio]


class Calibration(Record, frozen=True, kw_only=True):
    """What was measured (llmmigrate.calibration/1). A ratio that could not be measured is left out."""

    schema: str = SCHEMA
    current: str
    """`provider/model` of the log."""
    target: str
    seed: int
    sample: str
    """SHA-256 of the keys that were drawn."""
    confidence: float = CONFIDENCE
    draws: int
    calls: int
    """Different calls among the draws."""
    unanswered: int
    """Draws without an answer or without usage; no ratio speaks for them."""
    estimated: int
    """Draws whose usage was estimated from the text."""
    ratios: dict[str, TokenRatio]
    strata: list[Stratum]


def calibrate(draws: Sequence[Draw], *, current: str, target: str, seed: int, sample: str) -> Calibration:
    """The ratios from the draws of a cost sample; a call that was drawn twice is listed twice."""
    answered = [draw for draw in draws if draw.target is not None]
    names = sorted({name for draw in draws for name in draw.strata})
    strata = [_stratum(name, [draw for draw in answered if name in draw.strata]) for name in names]
    return Calibration(
        current=current,
        target=target,
        seed=seed,
        sample=sample,
        draws=len(draws),
        calls=len({draw.logged.key for draw in draws}),
        unanswered=len(draws) - len(answered),
        estimated=sum(draw.target.estimated for draw in answered if draw.target is not None),
        ratios=_ratios(answered),
        strata=[stratum for stratum in strata if STRATUM_DRAWS <= stratum.draws < len(answered)],
    )


def _stratum(name: str, draws: Sequence[Draw]) -> Stratum:
    return Stratum(name=name, draws=len(draws), ratios=_ratios(draws))


def _ratios(draws: Sequence[Draw]) -> dict[str, TokenRatio]:
    parts = [_parts(draw.logged, draw.target) for draw in draws if draw.target is not None]
    sizes = [draw.logged.input_tokens + draw.logged.output_tokens for draw in draws]
    found = {name: _ratio([part.get(name) for part in parts], sizes) for name in ABOUT}
    return {name: ratio for name, ratio in found.items() if ratio is not None}


def _parts(logged: Sampled, target: Tokens) -> dict[str, tuple[int, int]]:
    """What each ratio compares: the target's tokens and the tokens that they are held against."""
    parts = {
        "input": (target.input, logged.input_tokens),
        "output": (target.output, logged.output_tokens),
        "cached_share": (target.cached_input, target.input),
    }
    if logged.reasoning_tokens is not None:
        visible = logged.output_tokens - logged.reasoning_tokens
        parts["visible_output"] = (target.output - target.reasoning, visible)
        parts["reasoning"] = (target.reasoning, logged.reasoning_tokens)
        parts["reasoning_per_visible"] = (target.reasoning, visible)
    return parts


def _ratio(compared: Sequence[tuple[int, int] | None], sizes: Sequence[int]) -> TokenRatio | None:
    """None where the log does not tell these tokens apart in every call, or has none of them."""
    members = [pair for pair in compared if pair is not None]
    if len(members) < len(sizes):
        return None
    found = ratio_of_totals([new for new, _ in members], [old for _, old in members], sizes, CONFIDENCE)
    if found is None:
        return None
    return TokenRatio(
        ratio=found.value,
        low=found.low,
        high=found.high,
        sigma=found.sigma,
        approximate=found.sigma > APPROXIMATE_ABOVE,
        draws=found.draws,
    )


def dump(calibration: Calibration) -> bytes:
    """The bytes of `calibration.json`, the same for the same calibration."""
    return msgspec.json.format(msgspec.json.encode(calibration, order="sorted"), indent=2) + b"\n"


def load(data: bytes, path: str) -> Calibration:
    """The calibration in the bytes of a file; raises InputError for anything else."""
    try:
        found = msgspec.json.decode(data, type=Calibration)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(
            f"{path} is no calibration", why=str(error), fix="make one with `llmmigrate shadow`", code="no_calibration"
        ) from error
    if found.schema != SCHEMA:
        why = f"it says {found.schema!r}, this version reads {SCHEMA}"
        raise InputError(f"{path} is no calibration that this version can read", why=why, code="no_calibration")
    return found


def draws_of(answers: Iterable[tuple[Sampled, int, Tokens | None]]) -> list[Draw]:
    """Draws from each call's request, how often it was drawn, and what the target took."""
    return [
        Draw(asked, tokens, tuple(f"{name}={value}" for name, value in asked.tags))
        for asked, times, tokens in answers
        for _ in range(times)
    ]
