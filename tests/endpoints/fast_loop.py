"""Event loops on which a minute of limits and waits passes in a second or in none.

`run_fast`: the clock runs faster than the real one. Sockets are real and are not sped up: a millisecond on the wire
counts as `scale` milliseconds, and so does one in which the machine does something else.
`run_instantly`: the clock stands still while there is something to do, and jumps to what is waited for. Nothing outside
the loop may be waited for: no sockets, threads or processes.
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


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: what would have been waited has passed."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "something outside the loop is waited for"
        self.passed += max(0.0, timeout)
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """`time` is what has been waited for since the start."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed


def run_instantly(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on a loop that waits for nothing: the same on any machine, however busy."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)
