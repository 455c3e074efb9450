"""Ctrl-C while requests are under way: the first lets them finish, the second breaks off."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from llmmigrate.cli.console import Console


@contextmanager
def stopped_by_interrupt(stop: asyncio.Event, again: str, console: Console) -> Iterator[None]:
    """Set `stop` on the first SIGINT and cancel the running task on the second; `again` is the command to go on.

    Use it inside the task that is to be cancelled.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def interrupt() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
            return
        stop.set()
        console.say("stopping: requests under way are finished; Ctrl-C again breaks off")
        console.say(f"to go on later: {again}")

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        loop.remove_signal_handler(signal.SIGINT)
