"""Runs one command and sees to it that nothing of it is left when llmmigrate itself is gone.

    python -m llmmigrate.serving.guard FD SECONDS COMMAND …

FD is the reading end of a pipe that llmmigrate holds open. When it closes without more, even by SIGKILL, the process
group is ended: by SIGTERM, after SECONDS by SIGKILL. Ends with the command's own exit code, 128 + N after signal N.
"""

import os
import select
import signal
import subprocess
import sys
import time

POLL_SECONDS = 0.2


def main(arguments: list[str]) -> int:
    """Run the command to its end, or to the end of llmmigrate."""
    pipe, seconds, command = int(arguments[0]), float(arguments[1]), arguments[2:]
    # A signal to the group is meant for the command. A handler, since ignoring would be inherited by it.
    signal.signal(signal.SIGTERM, _wait_on)
    signal.signal(signal.SIGINT, _wait_on)
    process = subprocess.Popen(command)
    while process.poll() is None:
        if select.select([pipe], [], [], POLL_SECONDS)[0] and not os.read(pipe, 1):
            _end(process, seconds)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _wait_on(*_: object) -> None:
    """Go on waiting for the command."""


def _end(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """End the whole group, this process included if it comes to that."""
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
