"""Flags in, words out: one thin file a command.

`llmmigrate <name>` is the module `cli/<name>.py` (a dash is an underscore there). It offers `app`, a Typer with one
command, or with several for a command that has commands of its own. Each is a function `(options, console) -> exit
code` under `@options.command(app)`; its `options` record of annotated fields is its command line. The module is
imported only when its command runs, so that `--help` stays cheap: what it needs, it imports inside its functions.
The first lines of all commands stand in `cli/app.py`.
"""

import gc

gc.set_threshold(20_000, 20, 20)
"""A command makes very many objects at its start that stay; looking for garbage among them every 700 is in vain."""
