"""The watch: reads the gateway's counts of the target window by window, tells, and goes back when it has to.

It never looks at what clients see: failover hides a sick target from them. What it remembers is on disk, so that a
restart goes on; a rollback locks the stage, so that it never goes back twice. A rollback that fails stays due, and is
tried again at each look.
"""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from llmmigrate.errors import ConfigError, GatewayError, LlmmigrateError
from llmmigrate.rollout import Counts, Reader
from llmmigrate.rollout.answers import Report, answer, metrics
from llmmigrate.rollout.changing import confirmation, roll_back
from llmmigrate.rollout.plan import BACK, Plan
from llmmigrate.rollout.state import Place, instant
from llmmigrate.rollout.webhook import alert, check_webhook
from llmmigrate.rollout.windows import Judgement, Memory, Window, between, decided, judge, still_carried
from llmmigrate.rollout.wire import Listening, Reply, Request

SCHEMA: Final = "llmmigrate.watch/1"
_COMMAND_SECONDS: Final = 300
_STAYS_WINDOWS: Final = 2
"""Windows for which the end is still shown."""
_NOTHING: Final = "no window has ended in the stage in force"
_CARRIED: Final = (
    "the gateway left the target alone before this watch began: not held against it until that begins anew"
)

Say = Callable[[str], None]


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a report that a restart needs."""

    at: str
    streak: int = 0
    straight: int = 0


class Progress(NamedTuple):
    """How far one run of the watch has come."""

    attempts: int
    """At the target, in all."""
    good: int
    """Windows that were good."""
    streak: int
    """Windows in a row, up to now, that broke a limit."""


@dataclass(slots=True)
class Options:
    """How to watch."""

    apply: bool = False
    """Go back by itself."""
    command: str | None = None
    """A shell command that goes back, such as a commit for GitOps."""
    once: bool = False
    limit: int | None = None
    """Windows after which to end; None: never."""
    until: Callable[[Progress], bool] | None = None
    """Whether to end after so much; asked after each window, unless a rollback is due."""
    address: tuple[str, int] | None = None
    """Where to show `/verdict` and the metrics."""

    @property
    def acts(self) -> bool:
        """Whether it goes back at all, and does not only tell."""
        return self.apply or self.command is not None


@dataclass(slots=True)
class Watch:
    """One run of the watch."""

    plan: Plan
    place: Place
    reader: Reader
    options: Options
    say: Say
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    memory: Memory = field(default_factory=Memory)
    latest: Report | None = None
    rolled_back: bool = False
    due: str | None = None
    """Why a rollback is due that was not made."""
    carried: bool = True
    """Whether the gateway may leave the target alone since before this watch: that alone is no reason to go back."""
    attempts: int = 0
    windows: dict[str, int] = field(default_factory=dict)
    _told: bool = False

    def run(self) -> bool:
        """Watch until it has gone back or, with `once`, for one window; whether it has gone back.

        With nothing to go back by it ends when a rollback is due. UsageError where nobody could be alerted.
        """
        check_webhook(self.plan.monitoring)
        self.memory = remembered(self.place, self.plan, self.clock())
        self.carried = not self.memory.streak
        asyncio.run(self._run())
        return self.rolled_back

    async def _run(self) -> None:
        listening = Listening(self._show)
        if self.options.address is not None:
            host, port = self.options.address
            try:
                await listening.start(port, host)
            except OSError as error:
                raise GatewayError(
                    f"cannot listen on {host}:{port}",
                    why=os.strerror(error.errno or 0),
                    fix="name another port with --serve",
                ) from None
        try:
            await self._windows()
            await self._stay()
        finally:
            listening.stop()

    async def _windows(self) -> None:
        every = float(self.plan.monitoring.every)
        before = await asyncio.to_thread(self._read)
        self._window(None, before)
        due = time.monotonic() + every
        while not self.rolled_back:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            after = await asyncio.to_thread(self._read)
            await asyncio.to_thread(self._judge, self._window(before, after))
            before = after if after is not None else before
            if self._ends():
                return
            due += every
            if due < time.monotonic():  # a command or an alert took its time: no empty windows to catch up
                due = time.monotonic() + every

    def _ends(self) -> bool:
        """Whether the options say that this is enough."""
        until, limit = self.options.until, self.options.limit
        if self.options.once or (limit is not None and sum(self.windows.values()) >= limit):
            return True
        if self.due is not None:
            return not self.options.acts
        return until is not None and until(Progress(self.attempts, self.windows.get("good", 0), self.memory.streak))

    def _read(self) -> Counts | None:
        try:
            return self.reader()
        except GatewayError as error:
            self.say(f"{error.what}: {error.why or ''}")
            return None

    def _window(self, before: Counts | None, after: Counts | None) -> Window | None:
        """The window between two readings, as far as there are both; an ejection from before the watch is left out."""
        if after is None:
            return None
        self.carried = self.carried and still_carried(before, after)
        if before is None:
            return None
        if self.carried and after.ejected and not self._told:
            self._told = True
            self.say(_CARRIED)
        return between(before, after, carried=self.carried)

    def _judge(self, window: Window | None) -> None:
        """Take one window in, and go back if it is the last straw."""
        judgement, memory = judge(window, self.memory, self.plan.rollback)
        self.memory = memory
        self.attempts += window.attempts if window is not None else 0
        self.windows[judgement.verdict] = self.windows.get(judgement.verdict, 0) + 1
        self._keep("due" if self.due is not None else judgement.verdict, judgement, window)
        shown = f"{window.attempts} attempts, {window.errors} failed" if window is not None else "no counts"
        words = f": {'; '.join(judgement.reasons)}" if judgement.reasons else ""
        self.say(f"{instant(datetime.now(UTC))} {judgement.verdict} ({shown}, streak {memory.streak}){words}")
        if self.due is not None or decided(memory, self.plan.rollback):
            self._go_back(judgement, window)

    def _keep(self, verdict: str, judgement: Judgement, window: Window | None) -> None:
        self.latest = self._report(verdict, judgement, window, self.memory)
        self.place.write("watch.json", msgspec.json.format(msgspec.json.encode(self.latest), indent=1).decode() + "\n")

    def _report(self, verdict: str, judgement: Judgement, window: Window | None, memory: Memory) -> Report:
        return Report(
            schema=SCHEMA,
            plan=self.plan.name,
            at=instant(self.clock()),
            verdict=verdict,
            reasons=judgement.reasons,
            streak=memory.streak,
            straight=memory.straight,
            window=window,
        )

    def _go_back(self, judgement: Judgement, window: Window | None) -> None:
        """Act once: a stage that is locked already has been gone back from. What fails stays due."""
        reason = self.due or "; ".join(judgement.reasons)
        try:
            if self._is_back():
                self.due = None
                self._keep("locked", judgement, window)
                return
            acted = self._act(reason)
        except (LlmmigrateError, OSError) as error:
            why = error.what if isinstance(error, LlmmigrateError) else str(error)
            self._stays_due(reason, f"failed: {why}", judgement, window)
            return
        if acted is None:
            self._stays_due(reason, "none", judgement, window)
            return
        self.due = None
        self.memory = Memory()
        self.rolled_back = True
        self._keep("rolled_back", judgement, window)
        self._tell(reason, acted)

    def _is_back(self) -> bool:
        """Whether somebody has gone back; a rollback that the gateway does not have is to be finished."""
        try:
            state = self.place.state()
        except ConfigError:  # as good as none: nobody knows, so it is gone back from
            return False
        return state is not None and state.stage == BACK and state.pending is None

    def _stays_due(self, reason: str, action: str, judgement: Judgement, window: Window | None) -> None:
        """Say that the rollback was not made; the webhook hears it the first time."""
        first, self.due = self.due is None, reason
        if self.options.acts:
            again = "" if self.options.once else ", tried again at the next look"
            self.say(f"the rollback {action}; it is due{again}: {reason}")
        else:
            self.say(f"rollback is due, and neither --apply nor --exec was given: {reason}")
        if first:
            self._keep("due", judgement, window)
            self._tell(reason, action)

    def _tell(self, reason: str, action: str) -> None:
        """Alert the webhook, and keep in the journal whether it was taken."""
        message = {"event": "rollback", "plan": self.plan.name, "reason": reason, "action": action}
        failed = alert(self.plan.monitoring, {**message, "at": instant(datetime.now(UTC))})
        if failed is not None:
            self.say(f"the alert was not taken: {failed}")
        self.place.journal("alert", at=instant(datetime.now(UTC)), taken=failed is None, why=failed)

    def _act(self, reason: str) -> str | None:
        """Go back; what was done, None where there is nothing to go back by. GatewayError where it fails."""
        if self.options.apply:
            change = roll_back(self.plan, self.place, reason, by="watch")
            if change.uptake.confirmed is False:  # the next look tries again
                raise GatewayError(change.uptake.words)
            self.say(f"rolled back in {change.seconds:.3f} s ({confirmation(change)}): {reason}")
            return f"applied, {confirmation(change)}"
        if self.options.command is None:
            return None
        code = _run(self.options.command, reason)
        self.place.journal("handed_over", at=instant(datetime.now(UTC)), code=code, reason=reason)
        if code != 0:
            how = f"exit code {code}" if code is not None else f"it took longer than {_COMMAND_SECONDS} s"
            raise GatewayError(f"the command of --exec: {how}")
        self.say(f"handed over, exit code 0: {reason}")
        return "handed over, exit code 0"

    async def _show(self, request: Request, reply: Reply) -> None:
        path = request.path.partition("?")[0]
        nothing = self._report("inconclusive", Judgement(verdict="inconclusive", reasons=[_NOTHING]), None, Memory())
        if path == "/verdict":
            body = msgspec.json.encode(answer(nothing, self.latest, self.place))
            await reply.send(200, body, {"content-type": "application/json"})
        elif path in (self.plan.monitoring.metrics_path, "/metrics"):
            text = metrics(answer(nothing, self.latest, self.place), self.windows)
            await reply.send(200, text.encode(), {"content-type": "text/plain; version=0.0.4"})
        else:
            await reply.send(404, b"see /verdict and /metrics\n", {"content-type": "text/plain"})

    async def _stay(self) -> None:
        """Show the end for a while: who asks once a window would otherwise find nobody there, and take it for calm."""
        ended = self.rolled_back or self.due is not None
        if self.options.address is None or self.options.once or not ended:
            return
        seconds = _STAYS_WINDOWS * float(self.plan.monitoring.every)
        self.say(f"/verdict shows it for another {seconds:g} s")
        await asyncio.sleep(seconds)


def remembered(place: Place, plan: Plan, now: datetime) -> Memory:
    """What an earlier run has left; nothing where its file is broken, which only delays.

    Nothing either where it tells of another time: older than twice the windows that decide (and the second to which
    the file's time is exact), or from before the stage in force.
    """
    try:
        found = place.read("watch.json", Remembered)
        at = datetime.fromisoformat(found.at) if found is not None else None
        state = place.state()
        since = datetime.fromisoformat(state.since) if state is not None else None
    except (ConfigError, ValueError):
        return Memory()
    oldest = timedelta(seconds=2 * plan.rollback.windows * float(plan.monitoring.every) + 1)
    if found is None or at is None or abs(now - at) > oldest or (since is not None and at < since):
        return Memory()
    return Memory(streak=found.streak, straight=found.straight)


def _run(command: str, reason: str) -> int | None:
    """The exit code of a shell command that gets the reason; None where it was ended because it took too long."""
    environment = {**os.environ, "LLMMIGRATE_REASON": reason}
    try:
        # the person's own command line, as typed
        return subprocess.run(command, shell=True, env=environment, timeout=_COMMAND_SECONDS, check=False).returncode
    except subprocess.TimeoutExpired:
        return None
