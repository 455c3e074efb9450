"""When things happened, in an order that can be relied on."""

import time


class Clock:
    """Wall time that never goes back: where the machine's clock is set back, it goes on from where it was.

    It never runs more slowly than the clock of the loop, so that what is later there has a later moment here.
    """

    def __init__(self, *, after: int = 0) -> None:
        """All moments lie after `after`, in nanoseconds since the Unix epoch: the last one of an earlier process."""
        self._least = after + 1
        self._asked: float | None = None

    def moment(self, now: float) -> int:
        """Nanoseconds since the Unix epoch, UTC; `now`: what the clock of the loop shows, in seconds."""
        if self._asked is not None:
            self._least += round((now - self._asked) * 1e9)
        self._asked = now
        self._least = max(self._least, time.time_ns())
        return self._least
