"""Warning codes in words, with what a user can do about each. Codes are stable; the words may change."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from llmmigrate.costing.results import Notice
from llmmigrate.usage.accounting import Tally
from llmmigrate.usage.profile import Profile

if TYPE_CHECKING:
    from llmmigrate.costing.analysis import Analyst

WORDS: Final[dict[str, tuple[str, str | None]]] = {
    "usage_missing": (
        "{calls} without usage; what they cost is unknown and in no total",
        "ask for usage in streams (OpenAI: stream_options.include_usage) or log it",
    ),
    "total_only": ("{calls} with only a total of tokens, which cannot be priced", "log input and output tokens"),
    "total_mismatch": ("{calls} whose stated total is not the sum of its parts; the parts were used", None),
    "string_number": ("{calls} with token counts as text; read as numbers", None),
    "thousands_separator": ("{calls} with token counts such as 1,200; read as 1200", None),
    "non_integer_tokens": ("{calls} with token counts that are no whole numbers; usage missing", None),
    "nan_value": ("{calls} with NaN or Infinity; the value was left out", None),
    "negative_tokens": ("{calls} with negative token counts; usage missing", None),
    "implausible_tokens": ("{calls} with more than 10^9 tokens; usage missing", "check the logger"),
    "implausible_cost": ("{calls} with a stated cost above 10^9 USD; the cost was left out", "check the logger"),
    "implausible_duration": ("{calls} with a duration above 115 days; the duration was left out", "check the logger"),
    "naive_timestamp": ("{calls} whose timestamp names no time zone; read as UTC", None),
    "timestamp_missing": (
        "{calls} without a usable timestamp; in the totals, but in no day and no projection",
        "log a timestamp; calls without one are priced at today's rates or those of --as-of",
    ),
    "future_timestamp": ("{calls} dated in the future; kept out of the projection", None),
    "failed_calls": ("{calls} failed; without usage they cost 0", None),
    "possible_billed_failure": ("{calls} failed but carry usage: possibly billed, so their cost is included", None),
    "duplicates_removed": ("{records} of calls that were read before; left out", None),
    "id_reused": ("{calls} repeat an id with other content; counted as calls of their own", None),
    "identical_lines_without_id": (
        "{calls} equal to an earlier one and without an id; counted",
        "log a request id if they are copies",
    ),
    "invalid_utf8": ("{records} with bytes that are no UTF-8; these were replaced, the record was kept", None),
    "nul_bytes": ("{lines} with NUL bytes of an interrupted write", None),
    "truncated_last_line": ("{files} whose last line was cut off; that line is rejected", None),
    "truncated_gzip": ("{files} of gzip cut off; what decompressed was read", "copy the file again"),
    "truncated_bz2": ("{files} of bz2 cut off; what decompressed was read", "copy the file again"),
    "truncated_zstd": ("{files} of zstd cut off; what decompressed was read", "copy the file again"),
    "file_without_calls": ("{files} without a call: {places}", None),
    "unpriced_model": (
        "{calls} without a price, in no total of cost",
        "name their model (--alias LOGGED=PROVIDER/MODEL) or add a table (prices: in llmmigrate.yaml)",
    ),
    "logged_cost_outlier": (
        "a stated cost above 10 times the recomputed one, in {groups} of calls: {places}",
        "trust the recomputed cost, and check the logger's price table",
    ),
    "cut_marks_missing": (
        "{calls} of a saved profile lie where a newer price table has a boundary; their cost is known within bounds,"
        " and sums have the middle",
        "ingest the log again, or make the baseline anew",
    ),
    "sample_too_small": (
        "too few calls to see small changes of: {places}",
        "check more calls, or allow for larger changes in the policy",
    ),
    "groups_not_in_baseline": (
        "{calls} of groups that the baseline has no call of, so that they are compared with nothing: {places}",
        "where they are meant, make the baseline anew: --update-baseline",
    ),
    "mostly_left_out": (
        "{calls} or records are in no figure, without usage, without a price or rejected: more than what was compared",
        "see why: llmmigrate analyze LOGS",
    ),
    "cannot_project": ("all calls have one instant: cannot project a month", "give a log that spans 14 days"),
}
"""Code → what is the case, and what to do about it. `{calls}` is `1 call`, `2 calls` …"""
NOTHING_MORE: Final[Mapping[str, Tally]] = {}
UNITS: Final = ("call", "record", "line", "file", "group")


def explain_reading(profile: Profile, more: Mapping[str, Tally] = NOTHING_MORE) -> list[Notice]:
    """The warnings of a reading, and `more` of a command's own, by code."""
    return _notices({**_of_reading(profile), **more})


def explain(profile: Profile, analyst: "Analyst") -> list[Notice]:
    """All warnings of a reading and its pricing, by code."""
    tallies = _of_reading(profile)
    unpriced = sum(sums[0] for _, sums in analyst.unpriced.values())
    if unpriced:
        tallies["unpriced_model"] = Tally(unpriced)
    if analyst.uncut:
        tallies["cut_marks_missing"] = Tally(analyst.uncut)
    if analyst.outliers:
        places = [model or "(no model)" for _, model in sorted(analyst.outliers, key=str)]
        tallies["logged_cost_outlier"] = Tally(sum(analyst.outliers.values()), places)
    return _notices(tallies)


def _of_reading(profile: Profile) -> dict[str, Tally]:
    tallies = dict(profile.accounting.warnings)
    if profile.first_ns is not None and profile.first_ns == profile.last_ns:
        tallies["cannot_project"] = Tally(1)
    return tallies


def _notices(tallies: dict[str, Tally]) -> list[Notice]:
    return [_notice(code, tallies[code]) for code in sorted(tallies)]


def _notice(code: str, tally: Tally) -> Notice:
    message, fix = WORDS.get(code, (code.replace("_", " ") + " ({records})", None))
    counts = {f"{unit}s": f"{tally.count:,} {unit}{'' if tally.count == 1 else 's'}" for unit in UNITS}
    words = message.format(places=", ".join(tally.first), **counts)
    return Notice(code=code, count=tally.count, message=words, fix=fix, first=tally.first)
