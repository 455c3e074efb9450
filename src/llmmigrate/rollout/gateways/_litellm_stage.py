"""Draws a side for each request, counts the target's attempts, and leaves it alone after failures in a row.

LiteLLM loads this file from beside config.yaml (`callbacks: llmmigrate_stage.handler`). stage.json, which lies there
too, is read again when it has been replaced, so a change of stage needs no new start. LiteLLM's own cooldown is off: it
counts by the minute and not in a row, and takes no notice of a stream that a provider cuts off.
"""

import contextlib
import hashlib
import json
import random
import time
from pathlib import Path
from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger
from prometheus_client import Counter, Gauge

STAGE = Path(__file__).with_name("stage.json")
PARTS = 10_000
SICK = (401, 403, 408, 429)
"""Answers below 500 that speak of the provider and not of the request."""
TIMEOUT = 408
"""What LiteLLM makes of an attempt that took too long."""

ATTEMPTS = Counter("llmmigrate_target_attempts", "Attempts at the target that have ended")
FAILURES = Counter("llmmigrate_target_failures", "Attempts at the target that failed, cut streams among them")
TIMED = Counter("llmmigrate_target_timed", "Attempts at the target whose time to the first byte is known")
SLOW = Counter("llmmigrate_target_slow", "Those of them that took longer than the plan's limit")
EJECTIONS = Counter("llmmigrate_target_ejections", "How often the target has begun to be left alone")
ALONE_UNTIL = Gauge(
    "llmmigrate_target_alone_until", "Unix time until which the target is left alone", multiprocess_mode="max"
)


class Stage(CustomLogger):  # type: ignore[misc]  # LiteLLM is installed where the proxy runs
    """The stage in force, and how the target has done."""

    def __init__(self) -> None:
        super().__init__()
        self._rules: dict[str, Any] = {}
        self._seen: tuple[int, int] | None = None
        self._in_row = 0
        self._times = 0
        self._alone_until = 0.0
        self._trial_until = 0.0
        self._read()

    async def async_filter_deployments(
        self, model: str, healthy_deployments: Any, messages: Any, request_kwargs: Any = None, *_: Any, **__: Any
    ) -> Any:
        """The one deployment of the side that is drawn; groups that are not to be drawn from stay as they are."""
        sides = {str(each["model_info"]["id"]).partition("-")[0]: each for each in healthy_deployments}
        if set(sides) != {"target", "current"}:
            return healthy_deployments
        self._read()
        wanted = self._draw(request_kwargs or {}) < self._rules["parts"] and self._may_be_tried()
        return [sides["target" if wanted else "current"]]

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A whole answer."""
        if _is_target(kwargs):
            self._in_row = self._times = 0
            self._trial_until = 0.0
            ATTEMPTS.inc()
            self._count_time(kwargs, timed_out=False)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """No answer, or the first part of one."""
        if not _is_target(kwargs):
            return
        status = _status(kwargs.get("exception"))
        self._trial_until = 0.0
        ATTEMPTS.inc()
        self._count_time(kwargs, timed_out=status == TIMEOUT)
        if status in SICK or status >= 500:
            FAILURES.inc()
            self._in_row += 1
            self._perhaps_leave_alone()

    def _may_be_tried(self) -> bool:
        """Not while the target is left alone; then by one request at a time, until one has been answered whole.

        A stream fails late: all that began meanwhile would be cut with it. A request whose end is not heard of, or
        takes longer than `eject_for`, keeps nobody waiting any longer.
        """
        now = time.time()
        if self._in_row < self._rules["eject_after"]:
            return now >= self._alone_until
        if now < max(self._alone_until, self._trial_until):
            return False
        self._trial_until = now + self._rules["eject_for"]
        return True

    def _perhaps_leave_alone(self) -> None:
        """Longer each time, until an attempt succeeds; what was under way when it began does not prolong it."""
        now = time.time()
        if self._in_row < self._rules["eject_after"] or now < self._alone_until:
            return
        self._times += 1
        self._alone_until = now + min(self._times * self._rules["eject_for"], self._rules["eject_max"])
        EJECTIONS.inc()
        ALONE_UNTIL.set(self._alone_until)

    def _count_time(self, kwargs: Any, *, timed_out: bool) -> None:
        """To the first piece of a stream, else to the whole answer."""
        began, first = kwargs.get("api_call_start_time"), kwargs.get("completion_start_time")
        if not timed_out and (began is None or first is None):
            return
        TIMED.inc()
        limit = self._rules["latency_p95"]
        if limit is not None and (timed_out or (first - began).total_seconds() > limit):
            SLOW.inc()

    def _draw(self, request: Any) -> int:
        """0 to 9,999: at random, or always the same for callers with the same value of the plan's header."""
        headers = (request.get("proxy_server_request") or {}).get("headers") or {}
        caller = headers.get(self._rules["sticky"] or "")
        if caller is None:
            return random.randrange(PARTS)
        return int.from_bytes(hashlib.sha256(str(caller).encode()).digest()[:8], "big") % PARTS

    def _read(self) -> None:
        """Take stage.json up where it was replaced; a file that cannot be read leaves the stage as it was."""
        try:
            found = STAGE.stat()
            seen = (found.st_ino, found.st_mtime_ns)
            if seen == self._seen:
                return
            before, self._rules = self._rules, json.loads(STAGE.read_text(encoding="utf-8"))
            self._seen = seen
        except (OSError, ValueError):
            if not self._rules:
                raise
            return
        if before.get("parts") == 0 and self._rules["parts"]:
            self._begin_anew()

    def _begin_anew(self) -> None:
        """Whoever gives a target requests again that had none believes that it is well."""
        self._in_row = self._times = 0
        self._alone_until = self._trial_until = 0.0
        ALONE_UNTIL.set(0)


def _is_target(kwargs: Any) -> bool:
    information = (kwargs.get("litellm_params") or {}).get("model_info") or {}
    return str(information.get("id", "")).startswith("target-")


def _status(error: Any) -> int:
    """The status code of a failure; 500 for one without, such as a connection that was cut."""
    try:
        return int(getattr(error, "status_code", None) or 500)
    except ValueError:
        return 500


def _load_tokenizers() -> None:
    """Now, not when the first stream ends: all requests stand still meanwhile, a second or several (docs/rollout.md).

    Only a matter of time: what fails here fails again where it is needed, and is said there.
    """
    with contextlib.suppress(Exception):
        litellm.token_counter(model="gpt-4o", text="")


_load_tokenizers()
handler = Stage()
