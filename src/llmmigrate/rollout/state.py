"""What is in force and what has been proved: files beside the plan that survive a kill at any moment.

.llmmigrate/rollout/<name>/state.json      stage in force, since when, the lock after a rollback, a change under way
.llmmigrate/rollout/<name>/journal.jsonl   every change, begun and done, one line each
.llmmigrate/rollout/<name>/verified.json   gateway → configuration and version that a drill has proved
.llmmigrate/rollout/<name>/watch.json      what the watch remembers
.llmmigrate/rollout/<name>/emitted.json    the plan as it was emitted, and the SHA-256 of each stage's file
"""

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from llmmigrate.errors import ConfigError, GatewayError
from llmmigrate.rollout.damage import append_line, read_journal, read_record
from llmmigrate.rollout.drill.results import Drill
from llmmigrate.rollout.in_force import EMITTED, in_force
from llmmigrate.rollout.plan import Plan
from llmmigrate.rollout.records import State, Verified
from llmmigrate.rollout.staging import replace_file

SCHEMA: Final = "llmmigrate.rollout/1"
STATE: Final = "state.json"
JOURNAL: Final = "journal.jsonl"
_PRIVATE: Final = (STATE, EMITTED)
"""Reasons of rollbacks and a plan's addresses are for nobody else on the machine; so is the journal."""
ROOT: Final = Path(".llmmigrate") / "rollout"
"""Beside the plan; in it, a folder for each name of a plan."""


class Place:
    """The files of one plan's rollout."""

    def __init__(self, plan_path: Path, plan: Plan) -> None:
        self.plan_path = plan_path
        self.root = plan_path.parent
        self.directory = self.root / ROOT / plan.name

    def gateway_directory(self, plan: Plan) -> Path:
        """Where the gateway's files are."""
        return self.root / plan.gateway.directory

    def record(self) -> State | None:
        """What was written last, with the change that is not finished. ConfigError for a file that is not ours."""
        found: State | None = self.read(STATE, State)
        return found

    def state(self) -> State | None:
        """What is in force, None before the first stage. ConfigError for a file that is not ours."""
        record = self.record()
        return in_force(record, self.root, self.directory) if record is not None else None

    def states(self) -> Iterator[tuple[str, State]]:
        """What is in force under each name that a plan here has had; files that cannot be read are left out."""
        for path in sorted((self.root / ROOT).glob(f"*/{STATE}")):
            with contextlib.suppress(ConfigError):
                record = read_record(path, State)
                found = in_force(record, self.root, path.parent) if record is not None else None
                if found is not None:
                    yield path.parent.name, found

    def keep_state(self, state: State) -> None:
        """Write what is in force, or is to be."""
        self.write(STATE, msgspec.json.format(msgspec.json.encode(state), indent=1).decode() + "\n")

    def put_back(self, text: str | None) -> None:
        """Write the state's file as it was before a change that was refused; None: there was none."""
        if text is not None:
            self.write(STATE, text)
        else:
            (self.directory / STATE).unlink(missing_ok=True)

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
        try:
            found = {**self.verified(), drill.gateway: proof}
        except ConfigError:
            found = {drill.gateway: proof}
        self.write("verified.json", msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n")
        return self.directory / "verified.json"

    def journal(self, event: str, **details: Any) -> None:
        """Add a line to the journal, on the disk before this returns."""
        self.directory.mkdir(parents=True, exist_ok=True)
        append_line(self.directory / JOURNAL, json.dumps({"event": event, **details}, sort_keys=True, default=str))

    def journaled(self, last: int = 0) -> list[dict[str, Any]]:
        """The last lines of the journal, all of them for 0; damaged ones are left out."""
        return read_journal(self.directory / JOURNAL).lines[-last:]

    def write(self, name: str, text: str) -> None:
        """Replace one of the files."""
        self.directory.mkdir(parents=True, exist_ok=True)
        replace_file(self.directory / name, text, mode=0o600 if name in _PRIVATE else 0o644)

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
        """One of the files as a record, None where there is none. ConfigError for one that is not ours."""
        return read_record(self.directory / name, kind)


def _locked(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def instant(moment: datetime) -> str:
    """A moment in UTC to the second: `2026-11-22T12:00:00Z`."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
