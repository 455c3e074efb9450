"""Starting what `serve-local` has planned: checks first, then the engine, until it is asked to stop."""

import contextlib
import os
import secrets
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from llmmigrate.cli.console import Console
from llmmigrate.errors import ServingError
from llmmigrate.hosts import is_loopback

if TYPE_CHECKING:
    from llmmigrate.serving.planning import Decision, Place
    from llmmigrate.serving.supervisor import Job

KEY_VARIABLE: Final = "LLMMIGRATE_LOCAL_KEY"
"""The variable of the key that clients send; taken from there, or made for one run."""
FOLDER: Final = Path(".llmmigrate/serve")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Prepared(NamedTuple):
    """A job that passed its checks, and the file of its key where one was made."""

    job: "Job"
    key_file: Path | None


def prepare(decision: "Decision", place: "Place", *, force: bool) -> Prepared:
    """Check everything that can be checked before an engine starts. ServingError for what stands in the way."""
    from llmmigrate.serving.downloads import cache_folder, check_room
    from llmmigrate.serving.engines import check_installed, load_engine
    from llmmigrate.serving.planning import launch_for, recipe_of
    from llmmigrate.serving.ports import check_port
    from llmmigrate.serving.supervisor import Job

    choice = decision.chosen
    if choice is None:
        raise ValueError("only a plan that fits can be launched")
    engine = load_engine(choice.engine)
    check_port(place.host, place.port)
    program = check_installed(engine, recipe_of(choice, decision.model), force=force)
    check_room(choice.checkpoint, cache_folder())
    if engine.KEY_VARIABLE is None and not is_loopback(place.host) and not force:
        raise ServingError(
            f"{engine.TITLE} takes no key, and {place.host} can be reached from other machines",
            fix="leave out --host and put a gateway with a key in front, or add --force",
            code="open_to_all",
        )
    folder = FOLDER / str(place.port)
    key, key_file = (None, None) if engine.KEY_VARIABLE is None else _key(folder)
    launch = launch_for(choice, decision.model, place)
    secret = {} if engine.KEY_VARIABLE is None or key is None else {engine.KEY_VARIABLE: key}
    job = Job(
        arguments=(program, *launch.arguments[1:]),
        environment={**launch.environment, **secret},
        directory=launch.directory,
        log=(folder / "engine.log").absolute(),
        root_url=place.base_url.removesuffix("/v1"),
        served_model=launch.served_model,
        key=key,
        phases=engine.PHASES,
    )
    return Prepared(job, key_file)


def run(prepared: Prepared, console: Console, *, first: Callable[[], None], next_step: str | None) -> int:
    """Run the engine until a signal; exit code 0. ServingError when it fails, with its last lines shown.

    `first` is called once, when it is ready for the first time, beside the watch over the engine; what it raises ends
    the run, unless the run was to end anyway.
    """
    from llmmigrate.serving.supervisor import Policy, supervise

    job, stop = prepared.job, threading.Event()
    readies: list[float] = []
    faults: list[Exception] = []

    def once() -> None:
        try:
            first()
            for line in _how_to_call(prepared, next_step):
                console.say(line)
        except Exception as error:
            if not stop.is_set():
                faults.append(error)
                stop.set()

    def on_ready(seconds: float) -> None:
        console.say(f"ready after {seconds:.0f} s: {job.root_url}/v1, model {job.served_model}; log {job.log}")
        if not readies:
            threading.Thread(target=once, daemon=True).start()
        readies.append(seconds)

    console.say(f"starting {Path(job.arguments[0]).name}; Ctrl-C stops it; log {job.log}")
    try:
        with _stopped_by_signals(stop):
            supervise(job, Policy(), stop, tell=console.say, show_log=_show_log, on_ready=on_ready)
    finally:
        if prepared.key_file is not None:
            prepared.key_file.unlink(missing_ok=True)
    if faults:
        raise faults[0]
    console.say("stopped")
    return 0


def _how_to_call(prepared: Prepared, next_step: str | None) -> list[str]:
    lines = []
    if prepared.key_file is not None:
        lines.append(f'its key, until it stops: export {KEY_VARIABLE}="$(cat {shlex.quote(str(prepared.key_file))})"')
    elif prepared.job.key is None:
        lines.append("it takes no key: whoever reaches this address can use it")
    if next_step is None:
        return [*lines, "to use it as provider local in llmmigrate, start it with --to-config"]
    return [*lines, f"→ {next_step}"]


def _key(folder: Path) -> tuple[str, Path | None]:
    """The key of the environment, or a new one in a file that only its owner can read."""
    given = os.environ.get(KEY_VARIABLE)
    if given:
        return given, None
    folder.mkdir(parents=True, exist_ok=True)
    file, key = folder / "key", secrets.token_urlsafe(24)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(key)
    return key, file


@contextlib.contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Set `stop` at the first signal that asks to end; a second one changes nothing."""
    held = {number: signal.signal(number, lambda *_: stop.set()) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


def _show_log(lines: Sequence[str]) -> None:
    from llmmigrate.reports.escape import visible

    for line in lines:
        print(f"  │ {visible(line)}", file=sys.stderr)
