"""Warning codes in words, with what a user can do about each. Codes are stable; the words may change."""

from typing import TYPE_CHECKING, Final

from llmmigrate.costing.results import Notice
from llmmigrate.usage.accounting import Tally
from llmmigrate.usage.profile import Profile

if TYPE_CHECKING:
    from llmmigrate.costing.analysis import Analyst

WORDS: Final[dict[str, tuple[str, str | None]]] = {
    "usage_missing": (
        "{n} calls have no usage; their cost is unknown and in no total",
        "ask for usage in streams (OpenAI: stream_options.include_usage) or log it",
    ),
    "total_only": ("{n} calls state only a total of tokens, which cannot be priced", "log input and output tokens"),
    "total_mismatch": ("in {n} calls the stated total is not the sum of its parts; the parts were used", None),
    "string_number": ("{n} calls hold token counts as text; they were read as numbers", None),
    "thousands_separator": ("{n} calls hold token counts with separators, such as 1,200; read as 1200", None),
    "non_integer_tokens": ("{n} calls hold token counts that are no whole numbers; their usage is missing", None),
    "nan_value": ("{n} calls hold NaN or Infinity; the value was left out", None),
    "negative_tokens": ("{n} calls hold negative token counts; their usage is missing", None),
    "implausible_tokens": ("{n} calls hold more than 10^9 tokens; their usage is missing", "check the logger"),
    "naive_timestamp": ("{n} timestamps name no time zone and were read as UTC", None),
    "timestamp_missing": (
        "{n} calls have no usable timestamp; they are in the totals but in no day and no projection",
        "log a timestamp; calls without one are priced at today's rates or those of --as-of",
    ),
    "future_timestamp": ("{n} calls are dated in the future; they are kept out of the projection", None),
    "failed_calls": ("{n} calls failed; without usage they cost 0", None),
    "possible_billed_failure": ("{n} failed calls carry usage and were possibly billed; their cost is included", None),
    "duplicates_removed": ("{n} repeated records of calls that were read before were left out", None),
    "id_reused": ("{n} calls repeat an id with other content; they are counted as calls of their own", None),
    "identical_lines_without_id": (
        "{n} calls equal an earlier one and have no id; they are counted",
        "log a request id if they are copies",
    ),
    "invalid_utf8": ("{n} records hold bytes that are no UTF-8; these were replaced, the record was kept", None),
    "nul_bytes": ("{n} lines hold NUL bytes of an interrupted write", None),
    "truncated_last_line": ("the last line of {n} files was cut off and is rejected", None),
    "truncated_gzip": ("{n} gzip files are cut off; what decompressed was read", "copy the file again"),
    "truncated_bz2": ("{n} bz2 files are cut off; what decompressed was read", "copy the file again"),
    "truncated_zstd": ("{n} zstd files are cut off; what decompressed was read", "copy the file again"),
    "file_without_calls": ("{n} files hold no call: {places}", None),
    "unpriced_model": (
        "{n} calls have no price and are in no total of cost",
        "name their model (--alias LOGGED=PROVIDER/MODEL) or add a table (prices: in llmmigrate.yaml)",
    ),
    "logged_cost_outlier": (
        "the log states a cost above 10 times the recomputed one in {n} groups of calls: {places}",
        "trust the recomputed cost, and check the logger's price table",
    ),
    "cannot_project": ("all calls have one instant: cannot project a month", "give a log that spans 14 days"),
}


def explain_reading(profile: Profile) -> list[Notice]:
    """The warnings of a reading, by code."""
    return _notices(_of_reading(profile))


def explain(profile: Profile, analyst: "Analyst") -> list[Notice]:
    """All warnings of a reading and its pricing, by code."""
    tallies = _of_reading(profile)
    unpriced = sum(sums[0] for _, sums in analyst.unpriced.values())
    if unpriced:
        tallies["unpriced_model"] = Tally(unpriced)
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
    message, fix = WORDS.get(code, (code.replace("_", " ") + ": {n}", None))
    places = ", ".join(tally.first)
    return Notice(
        code=code, count=tally.count, message=message.format(n=tally.count, places=places), fix=fix, first=tally.first
    )
