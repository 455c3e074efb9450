"""A finished run judged anew from its journal: other gates, other measures, nothing sent.

Whoever chooses gates after seeing the answers can reach any verdict, so the result is marked exploratory.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from llmmigrate.errors import InputError, UsageError
from llmmigrate.shadow.journal import Journal, Past
from llmmigrate.shadow.judgement import Verdict
from llmmigrate.shadow.pairs import Arm, Pair, Sampled
from llmmigrate.shadow.runs import JOURNAL, Plan
from llmmigrate.shadow.scoring import Measure, Score, Scorer, restored
from llmmigrate.shadow.storing import restored_arm
from llmmigrate.shadow.summary import Summary
from llmmigrate.shadow.verdict import Judge


def measured(folder: Path) -> dict[str, int]:
    """By measure: on how many pairs of a run it said something about the target's answer."""
    found: dict[str, int] = {}
    with Journal(folder / JOURNAL) as journal:
        for record in _records(journal, journal.past()):
            for name, score in record["scores"].items():
                found[name] = found.get(name, 0) + (score["target"] is not None)
    if not found:
        raise InputError(f"the run {folder.name} has no pair yet", fix=f"llmmigrate shadow --resume {folder.name}")
    return found


def rescore(folder: Path, plan: Plan, judge: Judge, measures: Sequence[Measure]) -> tuple[Verdict, Summary]:
    """Judge the pairs of a run's journal, in their order.

    What the run has measured is taken as it was, from the texts as they came; other measures see the stored texts.
    UsageError where these were not kept.
    """
    known = measured(folder)
    new = [item for item in measures if item.name not in known]
    if new and plan.store == "hashes":
        raise UsageError(
            f"the run kept no texts, which {new[0].name} needs",
            why="it was stored with --store hashes",
            fix=f"take measures that it has scored: {', '.join(sorted(known))}",
        )
    summary = Summary(measures, current=plan.current, target=plan.target, store=plan.store)
    scorer = Scorer(new)
    with Journal(folder / JOURNAL) as journal:
        for pair, stored in _pairs(journal):
            scores = {**stored, **scorer.scores(pair)}
            summary.add(pair, scores)
            judge.add(pair, scores)
            if judge.decision is not None or judge.broken is not None:
                break
    return judge.result("finished"), summary


def _records(journal: Journal, past: Past) -> Iterator[dict[str, Any]]:
    """The pairs of a run in the order of evidence; of a pair that a later start has asked about again, its last."""
    return (journal.record_at(place) for place in past.pairs.values())


def _pairs(journal: Journal) -> Iterator[tuple[Pair, Mapping[str, Score]]]:
    past = journal.past()

    def arm(told: str | dict[str, Any]) -> Arm:
        """By the key of its result; as it is, where nothing was asked, or an older version has written it."""
        if not isinstance(told, str):
            return restored_arm(told)
        if told not in past.results:
            raise InputError(f"{journal.path} is damaged", why=f"a pair names an answer that is not there: {told}")
        return restored_arm(journal.record_at(past.results[told])["arm"])

    for record in _records(journal, past):
        asked = {**record["asked"], "request": record["asked"]["request"] or {}}
        pair = Pair(
            asked=msgspec.convert(asked, Sampled, strict=False),
            current=arm(record["current"]),
            target=arm(record["target"]),
            repeat=None if record["repeat"] is None else arm(record["repeat"]),
        )
        yield pair, {name: restored(told) for name, told in record["scores"].items()}
