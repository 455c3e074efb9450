"""For notebooks: logs and estimates as pandas DataFrames.

    traffic = llmmigrate.read("logs.jsonl")
    traffic.to_frame(by=["model", "day"])
    traffic.estimate("zai/glm-5", "openai/gpt-5-mini").to_frame()

Money is Decimal, exact, in a column of objects; `astype(float)` makes numbers of it that can be drawn. What is not
known is None. pandas is imported when a frame is made.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, UnsetType

from llmmigrate.errors import LlmmigrateError

if TYPE_CHECKING:
    import pandas

    from llmmigrate.costing.results import Estimate, EstimateTarget, Group
    from llmmigrate.prices import Catalog
    from llmmigrate.usage.profile import Profile

MONEY: Final = frozenset(
    {
        "cost",
        "cost_low",
        "cost_high",
        "failed_cost",
        "logged_cost",
        "low",
        "high",
        "saving",
        "saving_low",
        "saving_high",
    }
)
"""Columns that hold Decimals."""


class Traffic:
    """The calls of some logs, as sums; made by `llmmigrate.read`."""

    def __init__(self, profile: "Profile", catalog: "Catalog", now: int) -> None:
        self.profile = profile
        self.catalog = catalog
        self._now = now

    def to_frame(self, by: str | Sequence[str] = "model") -> "pandas.DataFrame":
        """One row a group, dearest first: calls, tokens by kind, errors, cost at each call's own date, in USD.

        `by`: model, provider, service_tier, day, hour, or a tag that was named to `read`; UsageError for another.
        """
        from llmmigrate import __version__
        from llmmigrate.costing.analysis import Terms, analyse
        from llmmigrate.costing.bill import Biller

        names = (by,) if isinstance(by, str) else tuple(by)
        biller = Biller(self.catalog, as_of=self._now)
        terms = Terms(by=names, now=self._now)
        found = analyse(self.profile, biller, terms, command="llmmigrate.read", version=__version__)
        return _frame([_group(group) for group in found.groups])

    def estimate(self, *to: str, as_of: datetime | None = None) -> "Comparison":
        """What the same traffic would cost elsewhere, at the rates in force at `as_of` (with a time zone; now).

        Without targets: the candidates of the same tier. Raises UnknownNameError for a target that no table knows.
        """
        from llmmigrate import __version__
        from llmmigrate.costing.comparing import estimate_traffic
        from llmmigrate.costing.request import Request

        if as_of is not None and as_of.tzinfo is None:
            raise ValueError("as_of needs a time zone")
        moment = self._now if as_of is None else int(as_of.timestamp())
        request = Request(to=to, as_of=moment, now=self._now)
        return Comparison(
            estimate_traffic(self.profile, self.catalog, request, command="llmmigrate.read", version=__version__)
        )


class Comparison:
    """An estimate; `result` is the record behind it."""

    def __init__(self, result: "Estimate") -> None:
        self.result = result

    def to_frame(self) -> "pandas.DataFrame":
        """One row a target, the cheapest first: cost and saving over the log, with their ranges."""
        return _frame([_target(target) for target in self.result.targets])


def read(*logs: str, tags: Sequence[str] = (), provider: str | None = None) -> Traffic:
    """Read logs of any format: files, globs, directories, compressed or not, or saved profiles.

    `tags`: tags to keep apart, for groups. `provider`: who bills the calls whose log does not say so. Settings files
    are not looked at. Raises InputError for what holds no call.
    """
    from llmmigrate.logs.reader import ReadOptions
    from llmmigrate.logs.reader import read as read_logs
    from llmmigrate.prices import load_catalog
    from llmmigrate.units import NANOSECONDS
    from llmmigrate.usage.cuts import CutMarks

    catalog = load_catalog()
    marks = catalog.marks()
    now_ns = time.time_ns()
    options = ReadOptions(
        marks=CutMarks(marks.instants, marks.clocks, marks.prompt, marks.output),
        tags=tuple(tags),
        provider=provider,
        now_ns=now_ns,
    )
    return Traffic(read_logs(list(logs), options), catalog, now_ns // NANOSECONDS)


def _group(group: "Group") -> dict[str, Any]:
    found: dict[str, Any] = dict(group.key)
    plain = (name for name in group.__struct_fields__ if name not in ("key", "errors_by_class", "month"))
    for name in plain:
        value = getattr(group, name)
        if isinstance(value, str | int | float | UnsetType):
            found[name] = None if value is UNSET else value
    if not isinstance(group.latency_ms, UnsetType):
        found |= {f"latency_{name}_ms": getattr(group.latency_ms, name) for name in ("p50", "p90", "p95", "p99")}
    return found


def _target(target: "EstimateTarget") -> dict[str, Any]:
    names = (
        "to", "kind", "currency", "calls", "cost", "low", "high", "range_kind", "saving", "saving_low", "saving_high",
        "saving_share", "tolerance", "grade",
    )  # fmt: skip
    return {name: getattr(target, name) for name in names}


def _frame(rows: Sequence[Mapping[str, Any]]) -> "pandas.DataFrame":
    try:
        import pandas
    except ImportError:
        fix = "pip install 'llmmigrate[notebook]'"
        raise LlmmigrateError("pandas is not installed, which makes the frames", fix=fix) from None
    exact = [{name: _value(name, value) for name, value in row.items()} for row in rows]
    return pandas.DataFrame(exact)


def _value(name: str, value: Any) -> Any:
    return Decimal(value) if name in MONEY and isinstance(value, str) else value
