"""What is in force, put together for people and for `rollout status --format json`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from llmmigrate.errors import ConfigError, LlmmigrateError
from llmmigrate.rollout.answers import Report
from llmmigrate.rollout.changing import stage_in_file
from llmmigrate.rollout.damage import read_journal, told
from llmmigrate.rollout.emission import config_hash
from llmmigrate.rollout.emitted import as_emitted, differences, emitted_damage
from llmmigrate.rollout.plan import Plan, Stage
from llmmigrate.rollout.proof import lacks
from llmmigrate.rollout.records import Lock, Verified
from llmmigrate.rollout.state import JOURNAL, Place

SCHEMA: Final = "llmmigrate.rollout-status/1"
_LAST: Final = 10
"""Lines of the journal that are shown."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rollout stands."""

    schema: str
    plan: str
    gateway: str
    directory: str
    stage: str | None
    """By the gateway's file, where a change is not known to be done; null: none yet or, with `due`, not to be told."""
    since: str | None
    due: str | None
    """What was begun, and is not known to be in force: null once the gateway has it, or cannot be asked."""
    share: str | None
    """The target's part of the requests, as a decimal fraction."""
    stage_in_file: str | None
    """The stage whose file the gateway has; another one than `stage` after a change that did not finish."""
    differs: list[str]
    """What the emitted files would hold otherwise by the plan of now; empty where they are the plan's."""
    lock: Lock | None
    verified: Verified | None
    verified_is_current: bool
    verified_lacks: list[str]
    """Faults without which it is no proof for the whole traffic."""
    watch: Report | None
    journal: list[dict[str, Any]]
    damaged: list[str]
    """What cannot be read, with file and line, and was left out here."""


def status_of(plan: Plan, place: Place) -> Status:
    """Where a plan's rollout stands."""
    state = place.state()
    running = as_emitted(plan, place).gateway
    kind = running.kind
    damaged: list[str] = []
    proofs: Mapping[str, Verified] | None = _readable(place.verified, damaged)
    watched: Report | None = _readable(lambda: place.read("watch.json", Report), damaged)
    journal = read_journal(place.directory / JOURNAL)
    proof = (proofs or {}).get(kind)
    held = _in_file(plan, place)
    share = held.part if state is not None and held is not None and held.name == state.stage else None
    return Status(
        schema=SCHEMA,
        plan=plan.name,
        gateway=kind,
        directory=str(place.root / running.directory),
        stage=state.stage if state is not None else None,
        since=state.since if state is not None else None,
        due=state.pending.words if state is not None and state.pending is not None else None,
        share=f"{share.normalize():f}" if share is not None else None,
        stage_in_file=held.name if held is not None else None,
        differs=differences(plan, place),
        lock=state.lock if state is not None else None,
        verified=proof,
        verified_is_current=proof is not None and proof.config_sha256 == _hash(plan, kind),
        verified_lacks=lacks(proof) if proof is not None else [],
        watch=watched,
        journal=journal.lines[-_LAST:],
        damaged=[each for each in (emitted_damage(place), *damaged, *journal.damaged) if each is not None],
    )


def _readable(read: Callable[[], Any], damaged: list[str]) -> Any:
    """What is read; None where it is damaged, which is told."""
    try:
        return read()
    except ConfigError as error:
        damaged.append(told(error))
        return None


def _hash(plan: Plan, kind: str) -> str | None:
    """None for a plan that was edited so that the gateway has no files for it."""
    try:
        return config_hash(plan, kind)
    except LlmmigrateError:
        return None


def _in_file(plan: Plan, place: Place) -> Stage | None:
    try:
        return stage_in_file(plan, place)
    except LlmmigrateError:
        return None
