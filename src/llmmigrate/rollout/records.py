"""What is remembered of a rollout: the stage in force, its lock, a change under way, what drills have proved."""

import unicodedata
from typing import Final

import msgspec

_PLAIN: Final = "\u200c\u200d"
"""Letters of some scripts are joined, or not, by these."""


def one_line(text: str) -> str:
    """A text without control characters, line breaks and what turns the direction of writing around."""
    shown = (" " if _controls(letter) else letter for letter in text)
    return " ".join("".join(shown).split())


def _controls(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in _PLAIN


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """Why no stage may be taken until a person releases it."""

    at: str
    reason: str
    by: str
    """`rollback` for a person's order, `watch` for its own."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force or, with `pending`, what is to be."""

    schema: str
    stage: str | None
    """None: which one is in force cannot be told."""
    since: str
    lock: Lock | None = None
    gateway: str | None = None
    """Which gateway has it, in which directory beside the plan, with which part of the requests; None is not known."""
    directory: str | None = None
    share: str | None = None
    file: str | None = None
    """The stage file in that directory, and the SHA-256 of its text."""
    sha256: str | None = None
    pending: "Pending | None" = None
    """The change that was begun, and that the gateway has not taken up as far as is known."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A change from its beginning until the gateway has it."""

    to: str
    at: str
    by: str
    before: State | None
    """What was in force, nothing pending; None: no stage yet."""
    sha256: str | None
    """Of the text that the file had; None: it could not be read."""
    why: str | None = None
    """Why the gateway does not have it; None: it was not asked yet, or a kill came first."""

    @property
    def words(self) -> str:
        """What is not finished."""
        why = self.why or "it did not finish"
        return f"stage {self.to} was begun at {self.at} by {self.by}, and is not known to be in force: {why}"


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that a drill has proved on a real gateway."""

    config_sha256: str
    version: str
    at: str
    quick: bool
    passed: bool
    lost: dict[str, int]
    faults: list[str] | None = None
    """Which ones were drilled; null: not kept."""
