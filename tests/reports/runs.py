"""Comparisons for the reports, judged by the real judge on drawn answers: no figure in them is written by hand."""

import random
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from llmmigrate.shadow.examples import Examples
from llmmigrate.shadow.gates import gates_of
from llmmigrate.shadow.judgement import Stop
from llmmigrate.shadow.pairs import Answer, Arm, Pair, Sampled, Tokens, ToolCall
from llmmigrate.shadow.results import ComparisonResult, Hashes, Spend
from llmmigrate.shadow.scoring import Scorer, measure
from llmmigrate.shadow.summary import Facts, Summary
from llmmigrate.shadow.verdict import Judge

MEASURES = ["agreement", "json_validity", "schema_validity", "tool_validity", "refusal", "exact_match"]
GATES = ["schema_validity=off", "tool_validity=off"]
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202etfosorciM\u202c\u200b &amp; 'x' \"y\" {{ 7*7 }}"


class Ran(NamedTuple):
    """A comparison and what is worth a look in it."""

    result: ComparisonResult
    examples: Examples


class Truth(NamedTuple):
    """How both sides really are."""

    errors: float = 0.01
    """Of the target; the current side fails in one of a hundred."""
    time: float = 0.8
    """The target's, as a factor to the current side's."""
    changed: float = 0.1
    """Part of the words that the target chooses otherwise; of the current side it is a tenth, too."""


def drawn(truth: Truth, count: int, seed: int = 1) -> Iterator[Pair]:
    chance = random.Random(seed)
    for number in range(count):
        words = [f"w{chance.randrange(2_000)}" for _ in range(20)]
        usual = chance.lognormvariate(6, 0.5)
        times = [usual * chance.lognormvariate(0, 0.2) for _ in range(3)]
        yield Pair(
            asked=asked(number, count),
            current=_arm(chance, words, errors=0.01, changed=0.1, time=times[0], cost="0.0040"),
            target=_arm(
                chance, words, errors=truth.errors, changed=truth.changed, time=times[1] * truth.time, cost="0.0006"
            ),
            repeat=_arm(chance, words, errors=0.0, changed=0.1, time=times[2], cost="0.0040"),
        )


def asked(number: int, count: int, prompt: str | None = None) -> Sampled:
    text = prompt or f"What became of case {number}?"
    return Sampled(
        key=f"req-{number:05}",
        order=number / count,
        place=f"logs.jsonl:{number + 1}",
        request={"model": "o3", "messages": [{"role": "user", "content": text}]},
        dialect="openai-chat",
        logged=None,
        input_tokens=120,
        output_tokens=20,
    )


def _arm(chance: random.Random, words: list[str], *, errors: float, changed: float, time: float, cost: str) -> Arm:
    if chance.random() < errors:
        return Arm(answer=None, failure="server", first_failure="server", detail="500 upstream reset", attempts=3)
    text = " ".join(f"x{chance.randrange(9_999)}" if chance.random() < changed else word for word in words)
    return arm(Answer(text=text), time, cost)


def arm(answer: Answer, time: float = 400.0, cost: str | None = "0.0040") -> Arm:
    return Arm(
        answer=answer,
        latency_ms=time,
        ttft_ms=time / 5,
        tokens=Tokens(input=120, output=24),
        cost=None if cost is None else Decimal(cost),
        served_model="glm-5",
    )


def compare(
    pairs: Iterable[Pair],
    *,
    gates: Sequence[str] = GATES,
    stopped: Stop = "finished",
    planned: int = 4_000,
    **facts: Any,
) -> Ran:
    """Judge pairs until there is an answer."""
    measures = [measure(name) for name in MEASURES]
    judge = Judge(gates_of({}, gates, {item.name: item.kind for item in measures}), seed=7)
    summary, scorer = Summary(measures, current="openai/o3", target="zai/glm-5", store="redacted"), Scorer(measures)
    for pair in pairs:
        scores = scorer.scores(pair)
        judge.add(pair, scores)
        summary.add(pair, scores)
        if judge.decision is not None:
            break
    told = {
        "command": "llmmigrate shadow logs.jsonl --canary 10% --max-cost 25",
        "version": "0.1.0",
        "run": "2026-11-22T01-10Z",
        "started": "2026-11-22T01:10:00Z",
        "ended": "2026-11-22T01:52:00Z",
        "canary": "0.1",
        "seed": 7,
        "store": "redacted",
        "hashes": Hashes(sample="ab" * 32, logs={"logs.jsonl": "cd" * 32}, prices={"openai": "ef" * 32}),
        "population": planned * 10,
        "left_out": {"no_text": 12},
        "planned_pairs": planned,
        "changed": {"max_tokens is written max_completion_tokens": 310},
        "incompatible": {},
        "spend": Spend(total="9.2", possibly_billed="0.0152", cap="25", tokens=812_345, tokens_cap=None),
    }
    return Ran(summary.result(judge.result(stopped), Facts(**{**told, **facts})), summary.examples())


@cache
def passed() -> Ran:
    return compare(drawn(Truth(errors=0.003, time=0.7), 4_000))


@cache
def broken() -> Ran:
    return compare(drawn(Truth(errors=0.06, time=1.1, changed=0.3), 4_000))


@cache
def undecided() -> Ran:
    return compare(drawn(Truth(), 130), stopped="budget", lag_ms_p99=730.0, not_sent_again=2)


@cache
def empty() -> Ran:
    """Nothing was measured at all."""
    return compare([])


@cache
def hostile() -> Ran:
    """Every text that comes from a log or an endpoint wants to break out."""
    bad = arm(Answer(text=HOSTILE, tool_calls=(ToolCall(name=HOSTILE, arguments=HOSTILE),)))
    failing = Arm(answer=None, failure="bad_request", first_failure="bad_request", detail=HOSTILE)
    odd = [
        Pair(asked=asked(0, 9, HOSTILE), current=bad, target=arm(Answer(text="fine"), cost=None)),
        Pair(asked=asked(1, 9), current=arm(Answer(text="fine")), target=failing),
    ]
    evil = {HOSTILE: 3}
    hashes = Hashes(sample="", logs={HOSTILE: "00"}, prices={})
    return compare(odd, command=HOSTILE, changed=evil, incompatible=evil, left_out=evil, hashes=hashes)
