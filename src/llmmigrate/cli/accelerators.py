"""`llmmigrate accelerators`."""

from dataclasses import dataclass

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import OutputOptions, command, new_app
from llmmigrate.cli.output import destinations, write
from llmmigrate.cli.reading import command_line

app = new_app()


@dataclass(frozen=True, kw_only=True)
class AcceleratorsOptions(OutputOptions):
    """The command line of `accelerators`."""


@command(app)
def accelerators(options: AcceleratorsOptions, console: Console) -> int:
    """What accelerators this machine has, and which of them a process started here may use.

    \b
    Examples:
      llmmigrate accelerators
      llmmigrate accelerators --format json
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate import __version__
    from llmmigrate.reports.accelerators import report
    from llmmigrate.serving.inventory import take_inventory
    from llmmigrate.serving.results import AcceleratorList

    to = destinations(options.format, options.output)
    inventory = take_inventory()
    found = AcceleratorList(
        schema="llmmigrate.accelerators/1",
        command=command_line(),
        version=__version__,
        devices=list(inventory.devices),
        problems=list(inventory.problems),
    )
    write(report(found, next_step="llmmigrate serve-local --dry-run"), to, console)
    return 0
