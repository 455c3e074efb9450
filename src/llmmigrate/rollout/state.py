"""What is in force and what has been proved: files beside the plan that survive a kill at any moment.

.llmmigrate/rollout/<name>/state.json      stage in force, since when, the lock after a rollback
.llmmigrate/rollout/<name>/journal.jsonl   every change, begun and done, one line each
.llmmigrate/rollout/<name>/verified.json   gateway → configuration and version that a drill has proved
.llmmigrate/rollout/<name>/watch.json      what the watch remembers
.llmmigrate/rollout/<name>/emitted.json    the plan as it was emitted
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import jsonlines
import msgspec

from llmmigrate.errors import ConfigError, GatewayError, Location
from llmmigrate.rollout.drill.results import Drill
from llmmigrate.rollout.plan import Plan
from llmmigrate.rollout.staging import replace_file

SCHEMA: Final = "llmmigrate.rollout/1"
ROOT: Final = Path(".llmmigrate") / "rollout"
"""Beside the plan; in it, a folder for each name of a plan."""


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """Why no stage may be taken until a person releases it."""

    at: str
    reason: str
    by: str
    """`rollback` for a person's order, `watch` for its own."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force."""

    schema: str
    stage: str
    since: str
    lock: Lock | None = None
    gateway: str | None = None
    """Which gateway has it, in which directory beside the plan, with which part of the requests; None is not known."""
    directory: str | None = None
    share: str | None = None


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that a drill has proved on a real gateway."""

    config_sha256: str
    version: str
    at: str
    quick: bool
    passed: bool
    lost: dict[str, int]


class Place:
    """The files of one plan's rollout."""

    def __init__(self, plan_path: Path, plan: Plan) -> None:
        self.plan_path = plan_path
        self.root = plan_path.parent
        self.directory = self.root / ROOT / plan.name

    def gateway_directory(self, plan: Plan) -> Path:
        """Where the gateway's files are."""
        return self.root / plan.gateway.directory

    def state(self) -> State | None:
        """What is in force, None before the first stage. ConfigError for a file that is not ours."""
        found: State | None = self.read("state.json", State)
        return found

    def states(self) -> Iterator[tuple[str, State]]:
        """What is in force under each name that a plan here has had; files that cannot be read are left out."""
        for path in sorted((self.root / ROOT).glob("*/state.json")):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                yield path.parent.name, msgspec.json.decode(path.read_bytes(), type=State)

    def keep_state(self, state: State) -> None:
        """Write what is in force."""
        self.write("state.json", msgspec.json.format(msgspec.json.encode(state), indent=1).decode() + "\n")

    def put_back(self, state: State | None) -> None:
        """Write what was in force before a change that was refused."""
        if state is not None:
            self.keep_state(state)
        else:
            (self.directory / "state.json").unlink(missing_ok=True)

    def verified(self) -> Mapping[str, Verified]:
        """What drills have proved, by gateway."""
        return self.read("verified.json", dict[str, Verified]) or {}

    def keep_verified(self, drill: Drill, now: datetime) -> Path:
        """Add what a drill has proved."""
        lost = {fault.fault: fault.lost for fault in drill.faults if fault.lost}
        proof = Verified(
            config_sha256=drill.config_sha256,
            version=drill.version,
            at=instant(now),
            quick=drill.quick,
            passed=drill.passed,
            lost=lost,
        )
        found = {**self.verified(), drill.gateway: proof}
        self.write("verified.json", msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n")
        return self.directory / "verified.json"

    def journal(self, event: str, **details: Any) -> None:
        """Add a line to the journal, on the disk before this returns."""
        self.directory.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"event": event, **details}, sort_keys=True, default=str) + "\n"
        with (self.directory / "journal.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())

    def journaled(self, last: int = 0) -> list[dict[str, Any]]:
        """The last lines of the journal, all of them for 0; a line that a kill has cut is left out."""
        try:
            with jsonlines.open(self.directory / "journal.jsonl") as reader:
                return list(reader.iter(type=dict, skip_invalid=True))[-last:]
        except FileNotFoundError:
            return []

    def write(self, name: str, text: str) -> None:
        """Replace one of the files."""
        self.directory.mkdir(parents=True, exist_ok=True)
        replace_file(self.directory / name, text)

    @contextlib.contextmanager
    def alone(self, wait: float = 0.0) -> Iterator[None]:
        """Let nobody else change the stage meanwhile; the lock of a killed process is gone with it.

        GatewayError where somebody else still does after `wait` seconds.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as stream:
            ends = time.monotonic() + wait
            while not _locked(stream):
                if time.monotonic() >= ends:
                    raise GatewayError("another llmmigrate changes the stage now", fix="try again in a moment")
                time.sleep(0.05)
            yield

    def read(self, name: str, kind: Any) -> Any:
        """One of the files as a record, None where there is none."""
        path = self.directory / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            fix = f"look at {self.directory / 'journal.jsonl'}, then remove the file"
            raise ConfigError(f"{name} cannot be read", where=Location(str(path)), why=str(error), fix=fix) from None


def _locked(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def instant(moment: datetime) -> str:
    """A moment in UTC to the second: `2026-11-22T12:00:00Z`."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
