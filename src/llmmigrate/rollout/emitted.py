"""The plan as it was emitted, kept beside the state: what it differs in from the plan of now, and what goes back by it.

A running gateway goes by the files that were emitted. A plan that was edited since then says something else; where it
cannot be read any more, or names another gateway, `rollback` still goes back where the files are.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from llmmigrate.errors import ConfigError, GatewayError, LlmmigrateError
from llmmigrate.rollout import Reader
from llmmigrate.rollout.damage import read_record, told
from llmmigrate.rollout.emission import FINDINGS, changed_by_hand, gateway_of, text_of
from llmmigrate.rollout.in_force import EMITTED, text_hash
from llmmigrate.rollout.plan import BACK, Plan, load, parse
from llmmigrate.rollout.state import ROOT, Place, instant

SCHEMA: Final = "llmmigrate.emitted/1"
_WATCHED: Final = re.compile(r"monitoring\.|rollback\.(?!latency_p95:)|stages\.[^:]*\.(for|min_requests):")
"""Settings that are in no file of a gateway."""


class Emitted(msgspec.Struct, frozen=True, kw_only=True):
    """A plan at its last emission for its own gateway."""

    schema: str
    at: str
    file: str
    """The plan's file name."""
    text: str
    stages: dict[str, str] = {}
    """SHA-256 of each stage's file."""


class Way(NamedTuple):
    """What to go back by."""

    plan: Plan
    place: Place
    remark: str | None
    """Why it is not the plan of now."""


def keep_emitted(place: Place, now: datetime) -> None:
    """Keep the plan as it is now."""
    text = place.plan_path.read_text(encoding="utf-8-sig")
    plan = parse(text, place.plan_path.name)
    kept = Emitted(schema=SCHEMA, at=instant(now), file=place.plan_path.name, text=text, stages=_hashes(plan))
    place.write(EMITTED, msgspec.json.format(msgspec.json.encode(kept), indent=1).decode() + "\n")


def _hashes(plan: Plan) -> dict[str, str]:
    gateway = gateway_of(plan.gateway.kind)
    names = [*(stage.name for stage in plan.stages), BACK]
    return {name: text_hash(gateway.files(plan, plan.stage(name).part)[gateway.STAGE_FILE]) for name in names}


def emitted_plan(place: Place) -> Plan | None:
    """The plan as it was emitted; None where that is not known."""
    try:
        kept = place.read(EMITTED, Emitted)
        return parse(kept.text, kept.file) if kept is not None else None
    except LlmmigrateError:
        return None


def emitted_file(place: Place) -> str | None:
    """The file name of the plan that was emitted; None where that is not known."""
    try:
        kept = place.read(EMITTED, Emitted)
    except ConfigError:
        return None
    return kept.file if kept is not None else None


def emitted_damage(place: Place) -> str | None:
    """What is wrong with the record of the emission, in a line; None: nothing, or there is none."""
    try:
        place.read(EMITTED, Emitted)
    except ConfigError as error:
        return told(error)
    return None


def way_back(plan_path: Path) -> Way:
    """The plan to go back by: as it was emitted, where it cannot be read or has a new name. ConfigError without it."""
    try:
        plan = load(plan_path)
    except ConfigError as error:
        found = _last_emitted(plan_path)
        if found is None:
            raise
        return Way(*found, f"{error.what}: went back by the plan as it was emitted")
    place = Place(plan_path, plan)
    kept = emitted_plan(place)
    if kept is None:
        found = None if (place.directory / "state.json").exists() else _last_emitted(plan_path)
        renamed = f"nothing was emitted under the name {plan.name}: went back by the plan as it was emitted"
        return Way(*found, renamed) if found is not None else Way(plan, place, None)
    return Way(plan, place, None)


def as_emitted(plan: Plan, place: Place) -> Plan:
    """The plan as it was emitted, where its files still lie; else as it is."""
    kept = emitted_plan(place)
    return kept if kept is not None and place.gateway_directory(kept).is_dir() else plan


def running_reader(plan: Plan, place: Place) -> Reader:
    """Reads the counts of the gateway that runs, which is the one that was emitted."""
    running = as_emitted(plan, place)
    return gateway_of(running.gateway.kind).reader(running, place.gateway_directory(running))


def edited(changed: Sequence[str]) -> str:
    """What differs, in words."""
    return f"the plan and what was emitted differ ({'; '.join(changed)})"


def differences(plan: Plan, place: Place) -> list[str]:
    """What the emitted files would hold otherwise by the plan of now: settings where these are known, else files.

    What is only watched differently changes no file, and is left out.
    """
    directory, kind = place.gateway_directory(plan), plan.gateway.kind
    kept = emitted_plan(place)
    if kept is None and not (directory / FINDINGS).exists():
        return []  # nothing was emitted yet
    moved = kept is not None and (kept.gateway.kind, kept.gateway.directory) != (kind, plan.gateway.directory)
    try:
        files = [] if moved else [*changed_by_hand(plan, kind, directory), *_stages_changed(plan, directory)]
    except GatewayError as error:
        return settings_differing(plan, place) or [error.what]
    if not files and not moved:
        return []
    return settings_differing(plan, place) or [f"{directory}: {', '.join(files)}"]


def settings_differing(plan: Plan, place: Place) -> list[str]:
    """Settings that are otherwise than when the plan was emitted, and may change a file; none where that is unknown."""
    kept = emitted_plan(place)
    changed = settings_changed(kept, plan) if kept is not None else []
    return [line for line in changed if _WATCHED.match(line) is None]


def settings_changed(before: Plan, after: Plan) -> list[str]:
    """`failover.eject_after: 3 → 4`, for every setting that differs."""
    one, other = dict(_flat("", before)), dict(_flat("", after))
    names = dict.fromkeys([*one, *other])
    return [
        f"{name}: {one.get(name, 'none')} → {other.get(name, 'none')}"
        for name in names
        if one.get(name) != other.get(name)
    ]


def _last_emitted(plan_path: Path) -> tuple[Plan, Place] | None:
    """The newest plan that was emitted from this file, under whatever name."""
    found: list[tuple[str, Plan, Place]] = []
    for path in (plan_path.parent / ROOT).glob(f"*/{EMITTED}"):
        try:
            kept = read_record(path, Emitted)
            plan = parse(kept.text, kept.file)
        except LlmmigrateError:
            continue
        if kept.file == plan_path.name:
            found.append((kept.at, plan, Place(plan_path, plan)))
    return max(found, key=lambda each: each[0])[1:] if found else None


def _stages_changed(plan: Plan, directory: Path) -> Iterator[str]:
    """Files of single stages that are not what the plan makes of them, or are not there."""
    gateway = gateway_of(plan.gateway.kind)
    for name in [*(stage.name for stage in plan.stages), BACK]:
        path = Path("stages") / name / gateway.STAGE_FILE
        if text_of(directory / path) != gateway.files(plan, plan.stage(name).part)[gateway.STAGE_FILE]:
            yield str(path)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Settings by their path: stages by their name, times as seconds."""
    if is_dataclass(value):
        for field in fields(value):
            yield from _flat(f"{name}.{field.name.rstrip('_')}".lstrip("."), getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        for inner in value:
            yield from _flat(f"{name}.{getattr(inner, 'name', '')}", inner)
    elif value is not None and value != ():
        yield name, _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
