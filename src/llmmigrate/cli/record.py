"""`llmmigrate record`."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import command, new_app
from llmmigrate.cli.output import check_writable
from llmmigrate.errors import LlmmigrateError, UsageError

if TYPE_CHECKING:
    from llmmigrate.recording.passing import Server, Upstreams
    from llmmigrate.recording.recorder import Counts

app = new_app()

SIGNALLED: Final = 128
"""What a shell adds to the number of the signal that ended a command."""


@dataclass(frozen=True, kw_only=True)
class RecordOptions:
    """The command line of `record`."""

    command: Annotated[
        list[str],
        typer.Argument(metavar="[-- COMMAND …]", show_default=False, help="Run this, record what it calls, and stop."),
    ] = field(default_factory=list)
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Add one record a call to this file.")]
    upstream: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where all requests go; otherwise OpenAI and Anthropic, by their path."),
    ] = None
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen, on this machine; port 0 is any free one.")
    ] = "127.0.0.1:0"
    keep_text: Annotated[
        bool, typer.Option("--keep-text", help="Keep requests and replies, without personal data; dropped otherwise.")
    ] = False


@command(app)
def record(options: RecordOptions, console: Console) -> int:
    """Get logs where there are none: record what a command calls, or what is sent through a port of this machine.

    \b
    Examples:
      llmmigrate record -o run.jsonl -- pytest evals/
      llmmigrate record -o calls.jsonl --listen 127.0.0.1:8900
      llmmigrate record -o calls.jsonl --upstream https://api.deepseek.com -- python app.py
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.recording.passing import passing
    from llmmigrate.recording.recorder import Recorder

    check_writable([options.output])
    upstreams, address = _upstreams(options, os.environ), _address(options.listen)
    recorder = Recorder(options.output, keep_text=options.keep_text)
    try:
        with passing(address, upstreams, recorder) as server:
            code = _run(options.command, server, console) if options.command else _wait(server, console)
    except OSError as error:
        raise UsageError(f"cannot listen on {options.listen}", why=error.strerror) from None
    finally:
        _say(recorder.close(), options.output, console)
    return code


def _upstreams(options: RecordOptions, environment: Mapping[str, str]) -> "Upstreams":
    """Where requests go: --upstream, else where the SDKs would send them, else to the vendors."""
    from llmmigrate.recording.passing import ANTHROPIC, OPENAI, Upstreams

    if options.upstream is not None:
        return Upstreams.at(options.upstream)
    openai = environment.get("OPENAI_BASE_URL") or environment.get("OPENAI_API_BASE") or OPENAI
    return Upstreams(openai, environment.get("ANTHROPIC_BASE_URL") or ANTHROPIC)


def _address(text: str) -> tuple[str, int]:
    """Where to listen. UsageError before anything is started, unless it is a port of a loopback address."""
    from llmmigrate.recording.passing import check_loopback

    host, _, port = text.rpartition(":")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise UsageError(f"--listen '{text}' is no HOST:PORT", fix="write --listen [::1]:8900")
    if re.fullmatch("[0-9]{1,5}", port) is None or int(port) > 65_535:
        raise UsageError(f"--listen '{text}' is no HOST:PORT", fix="write --listen 127.0.0.1:8900")
    host = "127.0.0.1" if host in ("", "localhost") else host.removeprefix("[").removesuffix("]")
    check_loopback(host)
    return host, int(port)


def _run(words: Sequence[str], server: "Server", console: Console) -> int:
    """Run a command with its SDKs pointed here; its exit code."""
    from llmmigrate.recording.passing import base_urls

    try:
        child = subprocess.Popen(words, env=base_urls(server, os.environ))
    except OSError as error:
        raise LlmmigrateError(f"cannot run {words[0]}", why=error.strerror) from None
    held = {number: signal.signal(number, lambda n, _: child.send_signal(n)) for number in (signal.SIGTERM,)}
    held[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the command as well
    try:
        code = child.wait()
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
    return code if code >= 0 else SIGNALLED - code


def _wait(server: "Server", console: Console) -> int:
    """Serve until interrupted."""
    console.say(f"listening on {server.base_url}; stop with Ctrl-C")
    console.say(f"  OPENAI_BASE_URL={server.base_url}/v1")
    console.say(f"  ANTHROPIC_BASE_URL={server.base_url}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
    return 0


def _say(counts: "Counts", path: str, console: Console) -> None:
    """On stderr: what was recorded and what was not."""
    console.say(f"recorded {counts.recorded:,} calls in {path}, {counts.failed:,} of them failed")
    if not counts.recorded and not counts.other and not counts.lost:
        console.say("no request came by: what calls has to use OPENAI_BASE_URL or ANTHROPIC_BASE_URL, as the SDKs do")
    if counts.other:
        console.say(f"{counts.other:,} other requests passed by")
    if counts.without_usage:
        console.warn(
            f"{counts.without_usage:,} calls told no tokens: ask for usage in streams (stream_options.include_usage)"
        )
    for why, count in counts.lost.items():
        console.warn(f"{count:,} calls were not recorded: {why}")
    if counts.recorded:
        console.say(f"next: llmmigrate analyze {path}")
