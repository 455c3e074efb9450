"""`llmmigrate ingest`."""

import contextlib
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import LogOptions, command, new_app
from llmmigrate.cli.output import check_writable, whole_file
from llmmigrate.cli.reading import groups_of, inputs_of, read_logs, strict_code
from llmmigrate.errors import UsageError
from llmmigrate.logs.writing import RecordFile, RejectFile

if TYPE_CHECKING:
    from llmmigrate.logs.reader import CallSink
    from llmmigrate.usage.call import Call
    from llmmigrate.usage.profile import Profile

app = new_app()


@dataclass(frozen=True, kw_only=True)
class IngestOptions(LogOptions):
    """The command line of `ingest`."""

    output: Annotated[
        list[str],
        typer.Option("--output", "-o", metavar="FILE", help="*.profile.json: a profile; *.jsonl: records. Repeatable."),
    ]
    by: Annotated[
        list[str], typer.Option(metavar="KEYS", help="Tags that the profile keeps apart: tag.NAME; with commas.")
    ] = field(default_factory=list)
    keep_text: Annotated[
        bool, typer.Option("--keep-text", help="Keep requests and replies in the records; dropped otherwise.")
    ] = False
    rejects: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write every rejected line here, with its place and reason.")
    ] = None


@command(app)
def ingest(options: IngestOptions, console: Console) -> int:
    """Turn any log into a small profile, or into one plain record a call.

    \b
    Examples:
      llmmigrate ingest logs/ -o usage.profile.json
      llmmigrate ingest logs/ -o usage.profile.json --rejects rejects.jsonl
      llmmigrate ingest export.jsonl.zst -o calls.jsonl --keep-text
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.usage import store

    profiles, records = _sorted_outputs(options.output)
    check_writable([*options.output, *([options.rejects] if options.rejects else [])], inputs=inputs_of(options))
    by = groups_of(options.by)
    with contextlib.ExitStack() as files:
        sinks = [RecordFile(files.enter_context(whole_file(path))) for path in records]
        rejects = RejectFile(files.enter_context(whole_file(options.rejects))) if options.rejects else None
        reading = read_logs(
            options, console, by=by, keep_text=options.keep_text,
            on_call=_to_all(sinks) if sinks else None, on_reject=rejects.add if rejects else None,
        )  # fmt: skip
        for path in profiles:
            with whole_file(path) as stream:
                stream.write(store.dump(reading.profile))
    _say(reading.profile, options, console)
    return strict_code(reading.profile, options, console, unpriced=0)


def _sorted_outputs(outputs: list[str]) -> tuple[list[str], list[str]]:
    """Paths of profiles and paths of records, told apart by their suffix."""
    profiles = [path for path in outputs if path.endswith(".profile.json")]
    records = [path for path in outputs if path.endswith(".jsonl")]
    for path in outputs:
        if path not in profiles and path not in records:
            raise UsageError(f"cannot tell what to write to {path}", fix="end it in .profile.json or in .jsonl")
    return profiles, records


def _to_all(sinks: list[RecordFile]) -> "CallSink":
    def add(call: "Call", place: str) -> None:
        for sink in sinks:
            sink.add(call, place)

    return add


def _say(profile: "Profile", options: IngestOptions, console: Console) -> None:
    """On stderr: what became of every line, and what comes next."""
    from llmmigrate.costing.analysis import line_counts
    from llmmigrate.reports.analysis import lines_words

    console.say(lines_words(line_counts(profile.accounting)))
    for path in options.output:
        console.say(f"wrote {path}")
    console.say(f"next: llmmigrate analyze {shlex.quote(options.output[0])}")
