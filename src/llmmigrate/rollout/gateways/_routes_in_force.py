"""Whether a running Envoy has a file of routes in force: its admin interface shows those that it goes by.

The file is held against them value by value: Envoy leaves defaults out, adds none, and writes times its own way. What
it refuses it counts; the reason stands in its log alone.
"""

import json
import re
import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from llmmigrate.endpoints.http import HttpError, get_text
from llmmigrate.rollout import Uptake

WAITS_SECONDS: Final = 3.0
_FIRST_SECONDS: Final = 0.5
"""For the question before the file is replaced: nothing may hold a rollback up."""
_PAUSE_SECONDS: Final = 0.02
_ROUTES: Final = "config_dump?resource=dynamic_route_configs"
_REFUSED: Final = "stats?format=json&filter=^http\\.front\\.rds\\.llm\\.update_(rejected|failure)$"
_SPAN: Final = re.compile(r"[0-9]+(\.[0-9]+)?s", re.ASCII)


class RoutesInForce:
    """Asks one Envoy; made before the file is replaced, so that what it refuses afterwards is told apart."""

    def __init__(self, admin: str, path: Path) -> None:
        self._admin, self._path = admin, path
        try:
            self._before: int | None = self._refusals(_FIRST_SECONDS)
        except (HttpError, ValueError, LookupError, TypeError):
            self._before = None

    def wait(self) -> Uptake | None:
        """What Envoy says within `WAITS_SECONDS`; None where it refuses the file."""
        ends = time.monotonic() + WAITS_SECONDS
        try:
            wanted = json.loads(self._path.read_text(encoding="utf-8"))["resources"][0]
            while (left := ends - time.monotonic()) > 0:
                if _holds(self._routes(left), wanted):
                    return Uptake(True, "Envoy says that these routes are in force")
                if self._before is not None and self._refusals(left) > self._before:
                    return None
                time.sleep(_PAUSE_SECONDS)
        except HttpError as error:
            return Uptake(None, f"Envoy does not answer at {self._admin} ({error}): it takes the file up when it runs")
        except (OSError, ValueError, LookupError, TypeError) as error:
            return Uptake(None, f"what answers at {self._admin} shows no routes ({type(error).__name__}: {error})")
        return Uptake(False, f"Envoy still had other routes in force after {WAITS_SECONDS:g} s")

    def _routes(self, seconds: float) -> Any:
        found = json.loads(self._ask(_ROUTES, seconds))["configs"]
        return next((each["route_config"] for each in found if each["route_config"]["name"] == "llm"), None)

    def _refusals(self, seconds: float) -> int:
        return sum(int(stat["value"]) for stat in json.loads(self._ask(_REFUSED, seconds))["stats"] if "name" in stat)

    def _ask(self, what: str, seconds: float) -> str:
        return get_text(f"http://{self._admin}/{what}", seconds=max(0.05, seconds))


def _holds(found: Any, wanted: Any) -> bool:
    """Whether `found` has every value that is wanted."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_holds(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(found, list) and len(found) == len(wanted)
        return same and all(_holds(one, other) for one, other in zip(found, wanted, strict=True))
    return bool(_plain(found) == _plain(wanted))


def _plain(value: Any) -> Any:
    """`0.010s` and `0.01s` are one time."""
    return Decimal(value[:-1]) if isinstance(value, str) and _SPAN.fullmatch(value) else value
