"""What the verdict says in words."""

from collections.abc import Sequence
from typing import Final

from llmmigrate.shadow.noise import FEWEST, Noise
from llmmigrate.shadow.trial import Block, Trial

_BLOCKS: Final[dict[Block, str]] = {
    "drift": "current no longer answers as logged: what the log says of it, tokens and costs too, is out of date;"
    " record new calls, or leave this gate out",
    "cannot_decide": "the measure cannot decide: unrelated answers score nearly as high as two answers to one request;"
    " take another measure or a smaller margin",
    "no_control": f"the measure is not yet checked against unrelated answers: {FEWEST} are needed",
}


_ENDS: Final = {
    "budget": "The budget was reached before an answer.",
    "interrupted": "Interrupted before an answer.",
    "undecided": "Not decided yet.",
}


def of_verdict(reason: str, trials: Sequence[Trial], broken: str | None, expected: int | None) -> str:
    """The verdict in a sentence or two."""
    match reason:
        case "gates_hold":
            said = "The gate holds." if len(trials) == 1 else f"All {len(trials)} gates hold."
        case "gate_broken":
            said = f"Not kept: {', '.join(str(trial.gate) for trial in trials if trial.fails)}."
        case "infrastructure":
            said = f"The {broken} endpoint is out of order: it failed again and again, and nothing more was sent to it."
        case "clustered":
            said = (
                "Failures come in clusters, so the pairs are not independent: this run tells about an incident and not"
                " about the endpoint. Run again at another time."
            )
        case "no_data":
            said = f"Nothing was measured for {', '.join(trial.gate.key for trial in trials if not trial.pairs)}."
        case "not_comparable":
            said = "A gate that was asked for needs fresh answers of the current side: --baseline fresh."
        case "drift" | "cannot_decide" | "no_control":
            blocked = ", ".join(trial.gate.key for trial in trials if trial.block == reason)
            said = f"{blocked}: {_BLOCKS[reason]}."
        case _:
            said = f"{_ENDS[reason]} {_more(expected)}"
    return said


def _more(expected: int | None) -> str:
    if expected is None:
        return "More pairs may not bring one: a gate lies too near to its limit, or nothing speaks for either answer."
    return f"About {_count(expected, 'more pair')} may, at what was seen so far."


def of_gate(trial: Trial) -> str:
    """A gate's answer."""
    if trial.fails:
        return "not kept"
    if trial.passes:
        return "kept"
    if not trial.pairs:
        pilots = trial.gate.pilot
        if trial.noise is not None and trial.gate.comparative and not trial.noise.repeat.count:
            return "nothing measured: the current side was not asked twice"
        return (
            f"nothing measured beyond the first {pilots} pairs, which fix the limit" if pilots else "nothing measured"
        )
    block = trial.block
    if block is not None:
        return _BLOCKS[block]
    heading = trial.heading()
    if heading is None:
        return "not decided; nothing so far speaks for either answer"
    return f"not decided; about {_count(heading.pairs, 'more pair')} may, at what was seen so far"


def of_noise(trial: Trial, noise: Noise) -> str:
    """What the noise and its controls mean."""
    if trial.block is not None:
        return _BLOCKS[trial.block]
    if noise.with_logged:
        return "current still answers as logged, so logged answers stand for its second ones where it was asked once"
    if noise.logged_refused:
        return (
            "it is not shown that current still answers as logged, so logged answers do not stand for its second ones"
        )
    return "the current side's own noise was measured by asking it twice"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
