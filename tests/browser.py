"""A real Chromium without a window, driven through a pipe: no port is opened and no test needs a network."""

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Literal

FOUND: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip
PIPES: Final = "--remote-debugging-pipe"
"""The browser reads commands from file descriptor 3 and writes answers to 4 (Chrome DevTools Protocol)."""

AXE: Final = Path(__file__).resolve().parent.parent / ".axe" / "node_modules" / "axe-core" / "axe.min.js"
"""What finds barriers in a page, for people who do not see or do not use a mouse (Deque's axe-core)."""
PAPER: Final = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True}
"""A4, in inches."""

Scheme = Literal["light", "dark"]


class Tab:
    """One page of the browser."""

    def __init__(self, send: Callable[..., dict[str, Any]], seen: list[dict[str, Any]]) -> None:
        self._send = send
        self.seen = seen
        """Everything that the browser has told of itself: requests, dialogs, log entries."""

    def show(
        self, path: Path, *, width: int, height: int = 900, scheme: Scheme = "light", media: Literal["", "print"] = ""
    ) -> None:
        """Open a file at a size and in a colour scheme, or as it is printed, and wait until it is there."""
        self.seen.clear()
        self._send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._send("Emulation.setEmulatedMedia", media=media, features=features)
        self._send("Page.navigate", until="Page.loadEventFired", url=path.as_uri())

    def evaluate(self, script: str, *, wait: bool = False) -> Any:
        """The value of a JavaScript expression; the debugger runs it even where the page's policy allows no script.

        `wait`: it is a promise, and its value is wanted.
        """
        found = self._send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=wait)
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"])
        return found["result"].get("value")

    def barriers(self) -> list[str]:
        """What axe-core finds wrong with the page that is shown: rule, element and what to do."""
        self.evaluate(f"{AXE.read_text(encoding='utf-8')};0")
        script = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.flatMap(
          rule => rule.nodes.map(node => `${rule.id}: ${node.html}: ${node.failureSummary}`)))"""
        found: list[str] = self.evaluate(script, wait=True)
        return found

    def paper_pages(self) -> int:
        """How many sheets of A4 the page takes."""
        document = base64.b64decode(self._send("Page.printToPDF", **PAPER)["data"])
        return len(re.findall(rb"/Type\s*/Page\b(?!s)", document))

    def told(self, method: str) -> list[dict[str, Any]]:
        """What the browser has told by this name since the page was opened."""
        return [event["params"] for event in self.seen if event["method"] == method]


@contextmanager
def chromium(home: Path) -> Iterator[Tab]:
    """A browser with a new profile in `home`, and one tab."""
    assert FOUND is not None
    to_browser, from_browser = os.pipe(), os.pipe()
    script = f'exec "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}'
    process = subprocess.Popen(
        ["bash", "-c", script, "chromium", FOUND, *FLAGS, PIPES, f"--user-data-dir={home}", "about:blank"],
        pass_fds=(to_browser[0], from_browser[1]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser[0])
    os.close(from_browser[1])
    with process, os.fdopen(to_browser[1], "wb", 0) as commands, os.fdopen(from_browser[0], "rb") as answers:
        try:
            yield _tab(commands, answers)
        finally:
            process.kill()


def _tab(commands: IO[bytes], answers: IO[bytes]) -> Tab:
    numbers = itertools.count(1)
    seen: list[dict[str, Any]] = []
    session: str | None = None

    def send(method: str, *, until: str | None = None, **params: Any) -> dict[str, Any]:
        number = next(numbers)
        command = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        commands.write(json.dumps(command).encode() + b"\0")
        result = _await(answers, seen, lambda message: message.get("id") == number)
        if "error" in result:
            raise AssertionError(result["error"])
        if until is not None and not any(event["method"] == until for event in seen):
            _await(answers, seen, lambda message: message.get("method") == until)
        found: dict[str, Any] = result["result"]
        return found

    page = send("Target.createTarget", url="about:blank")["targetId"]
    session = send("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Network", "Log"):
        send(f"{domain}.enable")
    return Tab(send, seen)


def _await(answers: IO[bytes], seen: list[dict[str, Any]], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The next message that is wanted; events on the way are kept."""
    while True:
        message = json.loads(_message(answers))
        if "method" in message:
            seen.append(message)
        if wanted(message):
            found: dict[str, Any] = message
            return found


def _message(answers: IO[bytes]) -> bytes:
    parts = bytearray()
    while (sign := answers.read(1)) != b"\0":
        if not sign:
            raise AssertionError("the browser went away")
        parts += sign
    return bytes(parts)
