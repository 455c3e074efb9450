"""What `serve-local` writes instead of launching, or beside it: files to deploy, the settings, the playbook's table."""

from pathlib import Path
from typing import Final, NamedTuple

from llmmigrate import registry
from llmmigrate.cli.console import Console
from llmmigrate.cli.output import destinations, whole_file, write
from llmmigrate.cli.plans import Planned, PlanOptions
from llmmigrate.cli.reading import command_line
from llmmigrate.errors import UsageError, unknown_name

EXPORTS: Final = "serving.exports"
PLAYBOOK: Final = "playbook"


def check_export(form: str, output: list[str]) -> None:
    """UsageError for an unknown form and for anything but one directory to write into."""
    if not registry.has(EXPORTS, form):
        raise unknown_name("export", form, registry.names(EXPORTS))
    if len(output) != 1 or output[0] == "-":
        raise UsageError("--export writes several files", fix="name one directory for them: -o deploy")
    if Path(output[0]).exists() and not Path(output[0]).is_dir():
        raise UsageError(f"{output[0]} is no directory", fix="name a directory, such as -o deploy")


def write_files(planned: Planned, form: str, output: list[str], console: Console) -> None:
    """Write the files of a plan into the directory that was named."""
    from llmmigrate import __version__
    from llmmigrate.serving.exports import Export
    from llmmigrate.serving.planning import deployment_of

    header = f"Made by llmmigrate {__version__}: {command_line()}"
    export: Export = registry.load(EXPORTS, form)
    files = export.files(deployment_of(planned.decision, planned.place, header=header))
    folder = Path(output[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        with whole_file(str(folder / name)) as stream:
            stream.write(text.encode())
        console.say(f"wrote {folder / name}")


class Settings(NamedTuple):
    """Settings as they are to be written."""

    path: Path
    text: str


def with_endpoint(planned: Planned, options: PlanOptions) -> Settings:
    """The settings in force, or new ones here, with the endpoint as provider `local`. ConfigError if that cannot be."""
    from llmmigrate.config import FILE_NAME, find
    from llmmigrate.serving.registration import check, with_local

    path = Path(options.config) if options.config else find(Path.cwd()) or Path(FILE_NAME)
    text = path.read_text(encoding="utf-8") if path.exists() else "version: 1\n"
    check(text, path)
    changed = with_local(text, planned.endpoint(), path=str(path), replace=options.force)
    check(changed, path)
    return Settings(path, changed)


def write_settings(found: Settings, console: Console) -> None:
    """Write the settings."""
    with whole_file(str(found.path)) as stream:
        stream.write(found.text.encode())
    console.say(f"wrote {found.path}: its provider local is this endpoint")


def show_playbook(options: PlanOptions, console: Console) -> int:
    """Print the playbook's table with the planner's verdicts; exit code 0."""
    from llmmigrate import __version__
    from llmmigrate.reports.playbook import report
    from llmmigrate.serving.playbook import playbook

    to = destinations(options.format, options.output)
    write(report(playbook(command_line(), __version__), next_step="llmmigrate serve-local --dry-run"), to, console)
    return 0
