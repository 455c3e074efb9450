"""What is in force and what has been proved: files beside the plan that survive a kill at any moment.

.llmmigrate/rollout/<name>/state.json      stage in force, since when, the lock after a rollback, a change under way
.llmmigrate/rollout/<name>/journal.jsonl   every change, begun and done, one line each
.llmmigrate/rollout/<name>/verified.json   gateway → configuration, version and faults of a drill
.llmmigrate/rollout/<name>/watch.json      what the watch remembers
.llmmigrate/rollout/<name>/emitted.json    the plan as it was emitted, and the SHA-256 of each stage's file
"""

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

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
VERIFIED: Final = "verified.json"
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
        self._files = self.gateway_directory(plan)

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

    def standing(self, directory: Path) -> list[tuple[str, State]]:
        """What is in force in a directory of files, under each name that a plan here has had, the last first.

        Records that cannot be read are left out.
        """
        found = [each for each in self._states() if each[1].directory is not None]
        found = [each for each in found if same_directory(directory, self.root / (each[1].directory or ""))]
        return sorted(found, key=lambda each: (each[1].since, each[0] == self.directory.name), reverse=True)

    def _states(self) -> Iterator[tuple[str, State]]:
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
        return self.read(VERIFIED, dict[str, Verified]) or {}

    def keep_verified(self, drill: Drill, now: datetime) -> bool:
        """Add what a drill has proved; False where a drill of more faults has proved the same, and is kept."""
        proof = Verified(
            config_sha256=drill.config_sha256,
            version=drill.version,
            at=instant(now),
            quick=drill.quick,
            passed=drill.passed,
            lost={fault.fault: fault.lost for fault in drill.faults if fault.lost},
            faults=[fault.fault for fault in drill.faults],
        )
        try:
            known = self.verified()
        except ConfigError:
            known = {}
        if _adds_nothing(proof, known.get(drill.gateway)):
            return False
        found = {**known, drill.gateway: proof}
        self.write(VERIFIED, msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n")
        return True

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
    def alone(self, wait: float = 0.0, directory: Path | None = None) -> Iterator[None]:
        """Let nobody else change this plan's stage or a directory of files meanwhile; by default the plan's own.

        The lock is the directory's itself, by whatever path it is reached; that of a killed process is gone with it.
        GatewayError where somebody else still has it after `wait` seconds.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        ends = time.monotonic() + wait
        with contextlib.ExitStack() as held:
            _hold(held.enter_context((self.directory / "lock").open("w")).fileno(), ends)
            with contextlib.suppress(OSError):  # nothing was emitted there
                handle = os.open(directory or self._files, os.O_RDONLY | os.O_DIRECTORY)
                held.callback(os.close, handle)
                _hold(handle, ends)
            yield

    def read(self, name: str, kind: Any) -> Any:
        """One of the files as a record, None where there is none. ConfigError for one that is not ours."""
        return read_record(self.directory / name, kind)


def _adds_nothing(proof: Verified, known: Verified | None) -> bool:
    if known is None or not (proof.passed and known.passed):
        return False
    same = (proof.config_sha256, proof.version) == (known.config_sha256, known.version)
    return same and set(proof.faults or ()) < set(known.faults or ())


def _hold(handle: int, ends: float) -> None:
    """Lock a file or directory until it is closed. GatewayError where somebody else has it until the time is over."""
    while not _locked(handle):
        if time.monotonic() >= ends:
            raise GatewayError("another llmmigrate changes the stage now", fix="try again in a moment")
        time.sleep(0.05)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # some file systems lock nothing, or no directory
        if error.errno not in (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOTSUP, errno.EISDIR):
            raise GatewayError("the stage cannot be locked against others", why=str(error)) from None
    return True


def same_directory(one: Path, other: Path) -> bool:
    """Whether two paths are of one directory."""
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()


def instant(moment: datetime) -> str:
    """A moment in UTC to the second: `2026-11-22T12:00:00Z`."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
