"""An event loop whose clock runs faster than real time, so that a minute of limits and waits passes in a second.

Sockets are real and are not sped up: a millisecond on the wire counts as `scale` milliseconds.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Waits shorter by a factor."""

    scale = 1.0

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout / self.scale if timeout is not None and timeout > 0 else timeout)


class FastLoop(asyncio.SelectorEventLoop):
    """`time` advances `scale` times as fast as the real clock."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._origin = time.monotonic()
        selector = _Selector()
        selector.scale = scale
        super().__init__(selector)

    def time(self) -> float:
        return (time.monotonic() - self._origin) * self._scale


def run_fast(work: Coroutine[Any, Any, T], scale: float) -> T:
    """Runs a coroutine on a fast loop."""
    with asyncio.Runner(loop_factory=lambda: FastLoop(scale)) as runner:
        return runner.run(work)
