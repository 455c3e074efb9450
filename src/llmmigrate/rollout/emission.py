"""All files of a gateway for a plan: the stage in force, every other stage, the way back, and what to expect."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from llmmigrate import registry
from llmmigrate.rollout import ROOM, Finding, Gateway
from llmmigrate.rollout.plan import BACK, Plan

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


def emit(plan: Plan, name: str, stage: str) -> Emission:
    """The files of the gateway `name` with the plan's stage `stage` in force."""
    gateway = gateway_of(name)
    found = tuple(gateway.findings(plan))
    files = dict(gateway.files(plan, plan.stage(stage).part))
    for each in [*(item.name for item in plan.stages), BACK]:
        files[f"stages/{each}/{gateway.STAGE_FILE}"] = gateway.files(plan, plan.stage(each).part)[gateway.STAGE_FILE]
    files[FINDINGS] = _findings_text(plan, name, found)
    files["ROLLBACK.md"] = _way_back(plan, gateway)
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
    return [file for file, text in expected.items() if _text(directory / file) != text]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _findings_text(plan: Plan, name: str, found: Iterable[Finding]) -> str:
    listed = [finding._asdict() for finding in found]
    document = {"schema": "llmmigrate.findings/1", "plan": plan.name, "gateway": name, "findings": listed}
    return json.dumps(document, indent=2) + "\n"


def _way_back(plan: Plan, gateway: Gateway) -> str:
    file = gateway.STAGE_FILE
    return f"""\
# Going back: {plan.name}
1. `llmmigrate rollback migration.yaml --reason "why"` sends everything to the current provider and locks the stage.
2. Without llmmigrate, in this directory: `cp stages/back/{file} {file}.new && mv {file}.new {file}`{gateway.TAKE_UP}.
3. Live streams end where they began; no new request reaches the target.
4. Forward again, when a person has found the cause: `llmmigrate rollout stage migration.yaml canary --release`.
"""
