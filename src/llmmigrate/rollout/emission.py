"""All files of a gateway for a plan: the stage in force, every other stage, the way back, and what to expect."""

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from llmmigrate import registry
from llmmigrate.rollout import ROOM, Finding, Gateway
from llmmigrate.rollout.plan import BACK, FILE_NAME, Plan

FINDINGS: Final = "findings.json"


class Emission(msgspec.Struct, frozen=True, kw_only=True):
    """Files by their path in the gateway's directory, and how well they do what the plan asks for."""

    gateway: str
    stage: str
    files: Mapping[str, str]
    findings: tuple[Finding, ...]
    config_sha256: str
    """Of everything but the share in force: what a drill proves."""

    @property
    def unmet(self) -> list[Finding]:
        """What the plan asks for and the gateway does not do, or leaves to a person."""
        return [finding for finding in self.findings if finding.unmet]


def gateway_of(name: str) -> Gateway:
    """The gateway of a name. UnknownNameError, with the nearest one, if there is none."""
    gateway: Gateway = registry.load(ROOM, name)
    return gateway


def emit(plan: Plan, name: str, stage: str, *, plan_name: str = FILE_NAME, own: bool = True) -> Emission:
    """The files of the gateway `name` with the plan's stage `stage` in force.

    `own` is whether they are for the plan's own gateway and directory, which `stage` and `rollback` act on; how to go
    back depends on it. `plan_name` is what the plan is called there.
    """
    gateway = gateway_of(name)
    found = tuple(gateway.findings(plan))
    files = dict(gateway.files(plan, plan.stage(stage).part))
    for each in [*(item.name for item in plan.stages), BACK]:
        files[f"stages/{each}/{gateway.STAGE_FILE}"] = gateway.files(plan, plan.stage(each).part)[gateway.STAGE_FILE]
    files[FINDINGS] = _findings_text(plan, name, found)
    way_back = _way_back if own else _way_back_by_hand
    files["ROLLBACK.md"] = way_back(plan, gateway, shlex.quote(plan_name))
    return Emission(gateway=name, stage=stage, files=files, findings=found, config_sha256=config_hash(plan, name))


def config_hash(plan: Plan, name: str) -> str:
    """SHA-256 over all files of a gateway at the share 0: equal for plans that differ only in how they are watched."""
    return files_hash(gateway_of(name).files(plan, Decimal(0)))


def files_hash(files: Mapping[str, str]) -> str:
    """SHA-256 over names and texts."""
    digest = hashlib.sha256()
    for name, text in sorted(files.items()):
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
    return digest.hexdigest()


def changed_by_hand(plan: Plan, name: str, directory: Path) -> list[str]:
    """Files in a gateway's directory, the stage file apart, that are not what the plan makes of them."""
    gateway = gateway_of(name)
    expected = {file: text for file, text in gateway.files(plan, Decimal(0)).items() if file != gateway.STAGE_FILE}
    return [file for file, text in expected.items() if text_of(directory / file) != text]


def text_of(path: Path) -> str | None:
    """The text of a file; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _findings_text(plan: Plan, name: str, found: Iterable[Finding]) -> str:
    listed = [finding._asdict() for finding in found]
    document = {"schema": "llmmigrate.findings/1", "plan": plan.name, "gateway": name, "findings": listed}
    return json.dumps(document, indent=2) + "\n"


def _way_back(plan: Plan, gateway: Gateway, plan_name: str) -> str:
    return f"""\
# Going back: {plan.name}
1. `llmmigrate rollback {plan_name} --reason "why"` sends everything to the current provider and locks the stage.
2. Without llmmigrate, in this directory: {_by_hand(plan, gateway, BACK)}.
3. Live streams end where they began; no new request reaches the target.
4. Forward again, when a person has found the cause: `llmmigrate rollout stage {plan_name} {_first(plan)} --release`.
"""


def _way_back_by_hand(plan: Plan, gateway: Gateway, plan_name: str) -> str:
    """For files that are not the plan's own gateway's: no command of ours acts on them."""
    own = plan.gateway
    return f"""\
# Going back: {plan.name}
1. In this directory: {_by_hand(plan, gateway, BACK)}. Everything goes to the current provider.
2. `llmmigrate rollback {plan_name}` does nothing here, nor do `rollout stage`, `watch` and `run`: they act on the
   plan's own gateway, {own.kind} in {own.directory}. To have them act here, set `gateway: kind` and `directory` in
   {plan_name} to this one, and emit again without `--to` and `-o`.
3. Live streams end where they began; no new request reaches the target.
4. Forward again, when a person has found the cause: {_by_hand(plan, gateway, _first(plan))}.
"""


def _by_hand(plan: Plan, gateway: Gateway, stage: str) -> str:
    file = gateway.STAGE_FILE
    return f"`cp stages/{stage}/{file} {file}.new && mv {file}.new {file}`{_take_up(plan, gateway, stage)}"


def _take_up(plan: Plan, gateway: Gateway, stage: str) -> str:
    return gateway.TAKE_UP.replace("{share}", str(int(plan.stage(stage).part * 10_000)))


def telling(plan: Plan, gateway: Gateway, stage: str) -> str:
    """The shell's line that lets the gateway take up the stage file in its directory."""
    return _take_up(plan, gateway, stage).removeprefix(", then ").strip("`")


def _first(plan: Plan) -> str:
    """The first stage in which the target gets requests, else the first."""
    return next((stage.name for stage in plan.stages if stage.part > 0), plan.stages[0].name)
