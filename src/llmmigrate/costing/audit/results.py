"""The result record of an audit: the JSON contract `llmmigrate.audit/1`, and its reading back from a file."""

from pathlib import Path

import msgspec

from llmmigrate.costing.results import LineCounts, Money, Notice, Record, Share, SourceFile
from llmmigrate.errors import ConfigError, Location

SCHEMA = "llmmigrate.audit/1"


class Part(Record, frozen=True, kw_only=True):
    """Calls, what they cost at their own dates, and their share of all that was spent.

    `cost` and `spend_share` are null where no call has a price; calls without one are in neither.
    """

    calls: int
    cost: Money | None
    spend_share: Share | None


class AuditFinding(Part, frozen=True, kw_only=True):
    """Calls of which one rule says one thing."""

    rule: str
    verdict: str
    """ok, translated, unknown or refused."""
    words: str
    first: list[str]


class AuditRule(Record, frozen=True, kw_only=True):
    """Every call that a rule has anything to say of, once, by the gravest that it says."""

    rule: str
    ok: int
    translated: int
    unknown: int
    refused: int
    refused_spend_share: Share | None
    first: list[str]
    """Places of the gravest; none where all is ok."""


class AuditVerdicts(Record, frozen=True, kw_only=True):
    """Every call once, by the gravest of its findings; they add up to the calls of the log."""

    ok: Part
    translated: Part
    unknown: Part
    """Sent as they are, but nobody has written down whether the target takes it."""
    refused: Part
    in_part: Part
    """The log holds no whole request: nothing is refused of what it shows, which may be no more than token counts."""
    not_audited: Part
    """Neither a request nor usage, or sums of several requests."""


class AuditTarget(Record, frozen=True, kw_only=True):
    """One target."""

    to: str
    dialect: str
    context_window: int | None
    max_output: int | None
    verdicts: AuditVerdicts
    rules: list[AuditRule]
    """The rules that refuse first, then by number of calls."""
    findings: list[AuditFinding]
    """The gravest first, then the most frequent."""


class Bodies(Record, frozen=True, kw_only=True):
    """What the log holds of the requests; they add up to the calls."""

    whole: int
    messages_only: int
    """The history without the parameters beside it: what those asked for is not audited."""
    parts: int
    """Instructions or tools without the history."""
    other: int
    """Of no dialect that this program knows, such as legacy completions and Gemini's own."""
    none: int


class Audit(Record, frozen=True, kw_only=True):
    """Which calls of a log a target can serve (llmmigrate.audit/1)."""

    schema: str
    command: str
    version: str
    at: str
    sources: list[SourceFile]
    lines: LineCounts
    total: Part
    unpriced_calls: int
    currency: str
    bodies: Bodies
    targets: list[AuditTarget]
    warnings: list[Notice]


def load(path: Path) -> Audit:
    """An audit that was saved with `-o FILE.json`; ConfigError when the file is none."""
    where = Location(str(path))
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Audit)
    except OSError as error:
        raise ConfigError(f"cannot read the audit: {error.strerror}", where=where) from error
    except msgspec.MsgspecError as error:
        raise ConfigError("this is no audit", where=where, why=str(error)) from error
    if found.schema != SCHEMA:
        raise ConfigError(f"an audit of another version: '{found.schema[:40]}'", where=where, fix="audit the log again")
    return found
