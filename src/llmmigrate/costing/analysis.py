"""What the traffic of a profile cost, by group, with what the figures do and do not cover."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from llmmigrate.costing import results
from llmmigrate.costing.alike import Cells, added, priced_alike
from llmmigrate.costing.bill import Amount, Biller, CellBill, Purse, bill_cards, is_uncut
from llmmigrate.costing.projection import DayCost, Outlook, Projection, project
from llmmigrate.costing.tables import table_used
from llmmigrate.costing.tally import Tally
from llmmigrate.costing.warnings import explain
from llmmigrate.errors import UsageError
from llmmigrate.money import PER_MILLION, from_pico, plain
from llmmigrate.prices.cards import Unpriced
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.accounting import Accounting
from llmmigrate.usage.cuts import CalendarUnit
from llmmigrate.usage.profile import Cell, CellKey, Profile, SizeSketches, input_total, output_total
from llmmigrate.usage.sketch import quantiles

GROUPINGS: Final = ("model", "provider", "service_tier", "day", "hour")
OUTLIER: Final = 10
"""A logged cost above so many times the recomputed one cannot be true (design: costs as logged are evidence)."""

GroupKey = tuple[str | None, ...]
UnpricedSums = dict[tuple[str | None, str | None, str, str], tuple[Unpriced, list[int]]]
"""Provider, model, reason and detail → why, and calls, input and output tokens."""


class Terms(msgspec.Struct, frozen=True):
    """How to analyse: groups, clock and currency."""

    by: tuple[str, ...] = ("model",)
    now: int = 0
    """Epoch seconds; tells the future from the past and the age of tables."""
    as_of: int | None = None
    """Epoch seconds given by the user: prices what has no rate at its own date."""
    growth: Decimal | None = None
    """Declared growth of the traffic a month."""
    currency: str = "USD"

    @property
    def converted_at(self) -> int:
        """Epoch seconds; money of other currencies is converted at the rate of then."""
        return self.now if self.as_of is None else self.as_of


class Analyst:
    """Prices all cells and adds them to the total, their group and their day."""

    def __init__(self, profile: Profile, biller: Biller, terms: Terms) -> None:
        self._profile = profile
        self._biller = biller
        self._terms = terms
        self._zone = ZoneInfo(profile.marks.zone)
        self._key_of = group_key(terms.by, profile)
        self._days: dict[int, date] = {}
        self._future = terms.now + 86_401
        """Calls that start then or later are no part of a projection."""
        self.total = Tally()
        self.groups: dict[GroupKey, Tally] = {}
        self.unpriced: UnpricedSums = {}
        self.tables: dict[str, str] = {}
        self.assumptions: dict[str, int] = {}
        self.uncut = 0
        """Calls whose cost is open only because their cell straddles a boundary of a price table."""
        self.outliers: dict[tuple[str | None, str | None], int] = {}

    def run(self) -> None:
        """Go through all cells and sketches."""
        units: tuple[CalendarUnit, ...] = ("hour", "day")
        unit = next((name for name in units if name in self._terms.by), None)
        for cells in priced_alike(self._profile, self._biller, unit, bounds=[self._future]):
            self._add_alike(cells)
        for group in self.groups.values():
            self.total.merge(group)
        for sketch_key, sketches in self._profile.sketches.items():
            self.total.sketches.merge(sketches)
            own = self.groups.get(self._key_of(sketch_key, sketch_key.unit))
            if own is not None:
                own.sketches.merge(sketches)

    def _add_alike(self, cells: Cells) -> None:
        """Add cells that have the same rates: as one, but where a rate is open, as bounds do not add up."""
        key, cell = cells[0]
        if len(cells) > 1:
            cell = added(cells)
        bill = self._biller.bill(key, cell)
        if len(cells) > 1 and len(bill.cards) > 1:
            for pair in cells:
                self._add_alike([pair])
            return
        self._add(cells, cell, bill)
        outliers = sum(part.logged_peak is not None and self._is_outlier(part, bill) for _, part in cells)
        if outliers:
            name = (key.provider, key.model)
            self.outliers[name] = self.outliers.get(name, 0) + outliers

    def _add(self, cells: Cells, cell: Cell, bill: CellBill) -> None:
        """Add cells of one bill; `cell` is their sum."""
        key = cells[0][0]
        name = self._key_of(key, key.start)
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = Tally()
        group.add(key, cell, bill)
        if key.start is not None and key.start < self._future:
            group.add_days(cells, cell, bill, self._day_of)
        self._note(key, cell, bill)

    def _day_of(self, key: CellKey) -> date:
        start = key.start or 0
        day = self._days.get(start)
        if day is None:
            day = self._days[start] = datetime.fromtimestamp(start, tz=self._zone).date()
        return day

    def _note(self, key: CellKey, cell: Cell, bill: CellBill) -> None:
        if bill.unpriced is not None:
            add_unpriced(self.unpriced, key, cell, bill.unpriced)
        for card in bill.cards:
            self.tables[card.table] = card.table_sha256
        if is_uncut(bill):
            self.uncut += cell.calls
        for code in bill.assumptions:
            self.assumptions[code] = self.assumptions.get(code, 0) + cell.calls

    def _is_outlier(self, cell: Cell, bill: CellBill) -> bool:
        """Whether the cell's highest logged cost is far above what the same call costs by the tables."""
        peak = cell.logged_peak
        if peak is None or peak.cost <= 0:
            return False
        logged = from_pico(peak.cost)
        if bill.amount is None or not bill.cards:
            return logged > OUTLIER * sum(peak.tokens) * self._biller.dearest_rate.scaleb(PER_MILLION)
        own = bill_cards(bill.cards, peak.tokens, {})
        return own.amount is not None and logged > OUTLIER * own.amount.high


def analyse(
    profile: Profile,
    biller: Biller,
    terms: Terms,
    *,
    command: str,
    version: str,
    reconciliation: results.Reconciliation | None = None,
) -> results.Analysis:
    """The analysis of a profile."""
    analyst = Analyst(profile, biller, terms)
    analyst.run()
    shape = _Shape(profile, biller, terms)
    accounting = profile.accounting
    return results.Analysis(
        schema="llmmigrate.analysis/1",
        command=command,
        version=version,
        by=list(terms.by),
        sources=[results.SourceFile(path=s.path, bytes=s.bytes, sha256=s.sha256, formats=s.formats)
                 for s in accounting.sources],
        lines=line_counts(accounting),
        rejects=[results.Reject(reason=reason, count=t.count, first=t.first)
                 for reason, t in sorted(accounting.rejects.items())],
        coverage=coverage(profile, analyst.total),
        unpriced=unpriced_calls(analyst.unpriced),
        span=span(profile),
        total=shape.totals(analyst.total),
        groups=shape.groups(analyst.groups),
        projection=shape.projection(analyst.total),
        prices=prices_used(analyst, biller, terms),
        reconciliation=reconciliation,
        warnings=explain(profile, analyst),
    )  # fmt: skip


def group_key(by: Sequence[str], profile: Profile) -> Callable[..., GroupKey]:
    """A function from a cell's or sketch's key and start to its group; raises UsageError for an unknown name."""
    zone = ZoneInfo(profile.marks.zone)
    getters = [_getter(name, profile, zone) for name in by]
    return lambda key, start: tuple(get(key, start) for get in getters)


def _getter(name: str, profile: Profile, zone: ZoneInfo) -> Callable[..., str | None]:
    if name in ("model", "provider", "service_tier"):
        return lambda key, start: getattr(key, name, None)
    if name in ("day", "hour"):
        form = "%Y-%m-%d" if name == "day" else "%Y-%m-%dT%H:00"
        return lambda key, start: None if start is None else datetime.fromtimestamp(start, tz=zone).strftime(form)
    tag = name.removeprefix("tag.")
    if tag not in profile.tags:
        raise UsageError(
            f"cannot group by '{name}'", fix=f"choose from {', '.join(GROUPINGS)} or tag.NAME with a tag of the log"
        )
    place = profile.tags.index(tag)
    return lambda key, start: key.tags[place]


class _Shape(msgspec.Struct, frozen=True):
    """Turns tallies into result records."""

    profile: Profile
    biller: Biller
    terms: Terms

    def groups(self, tallies: dict[GroupKey, Tally]) -> list[results.Group]:
        made = [(self._rank(tally), key, tally) for key, tally in tallies.items()]
        made.sort(key=lambda entry: (entry[0], tuple((part is None, part or "") for part in entry[1])))
        if self.terms.by[:1] in (("day",), ("hour",)):
            made.sort(key=lambda entry: tuple((part is None, part or "") for part in entry[1]))
        names = self.terms.by
        return [self._group(dict(zip(names, key, strict=True)), tally) for _, key, tally in made]

    def _rank(self, tally: Tally) -> Decimal:
        return -self._amount(tally.cost).high

    def _group(self, key: dict[str, str | None], tally: Tally) -> results.Group:
        totals = self.totals(tally, with_month={"day", "hour"}.isdisjoint(self.terms.by))
        fields = {name: getattr(totals, name) for name in totals.__struct_fields__}
        return results.Group(key=key, **fields)

    def totals(self, tally: Tally, *, with_month: bool = True) -> results.Totals:
        """A tally as a result record; a day or an hour has no month of its own."""
        return results.Totals(
            calls=tally.calls,
            attempts=tally.calls,
            logical_requests=tally.logical,
            errors=sum(tally.errors.values()),
            errors_by_class=dict(sorted(tally.errors.items())),
            input_tokens=input_total(tally.tokens),
            cached_input_tokens=tally.tokens[2],
            cache_write_tokens=tally.tokens[3] + tally.tokens[4],
            output_tokens=output_total(tally.tokens),
            reasoning_tokens=tally.tokens[7],
            priced_calls=tally.priced,
            unpriced_calls=tally.unpriced,
            usage_missing=tally.missing,
            **self._money(tally, with_month=with_month),
            **_times(tally.sketches),
        )

    def _money(self, tally: Tally, *, with_month: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if tally.logged_calls:
            found["logged_cost"] = plain(from_pico(tally.logged_cost))
            found["logged_calls"] = tally.logged_calls
        if not tally.priced:
            return found
        amount = self._amount(tally.cost)
        found |= {"cost": plain(amount.middle), "currency": self.terms.currency}
        if amount.low != amount.high:
            found |= {"cost_low": plain(amount.low), "cost_high": plain(amount.high)}
        found["failed_cost"] = plain(self._amount(tally.failed).middle)
        projected = self._project(tally) if with_month else None
        # A cost that lies only on a cut-off first or last day is in no whole day: nothing to project from, not zero.
        if projected is not None and projected.month.cost:
            found["month"] = _outlook(projected.month)
        return found

    def _amount(self, purse: Purse) -> Amount:
        return purse.total(self.biller.catalog, self.terms.currency, self.terms.converted_at)

    def _project(self, tally: Tally) -> Projection | None:
        first, last = self.profile.first_ns, self.profile.last_ns
        if first is None or last is None or not tally.priced:
            return None
        zone = ZoneInfo(self.profile.marks.zone)
        costs = [DayCost(day, self._amount(purse).middle) for day, purse in sorted(tally.days.items())]
        return project(costs, first=instant(first, zone), last=instant(last, zone), growth=self.terms.growth)

    def projection(self, tally: Tally) -> results.ProjectionResult:
        found = self._project(tally)
        if found is None:
            empty = results.Outlook(cost=None, low=None, high=None)
            why = "no call of the log has both a price and a timestamp"
            return results.ProjectionResult(
                month=empty, year=empty, rate_per_day=None, method="no projection", refused="not_measured", why=why
            )
        return results.ProjectionResult(
            month=_outlook(found.month),
            year=_outlook(found.year),
            rate_per_day=_money(found.rate_per_day),
            method=found.method,
            refused=found.refused.code if found.refused else None,
            why=found.refused.words if found.refused else None,
        )


def _outlook(found: Outlook) -> results.Outlook:
    return results.Outlook(cost=_money(found.cost), low=_money(found.low), high=_money(found.high))


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _times(sketches: SizeSketches) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if sketches.latency_ms:
        values = [round(v or 0, 1) for v in quantiles(sketches.latency_ms, (0.5, 0.9, 0.95, 0.99))]
        found["latency_ms"] = results.Latency(p50=values[0], p90=values[1], p95=values[2], p99=values[3])
    if sketches.ttft_ms:
        values = [round(v or 0, 1) for v in quantiles(sketches.ttft_ms, (0.5, 0.95))]
        found["ttft_ms"] = results.FirstToken(p50=values[0], p95=values[1])
    return found


def instant(ns: int, zone: ZoneInfo) -> datetime:
    """An aware instant of whole microseconds, never rounded up."""
    seconds, rest = divmod(ns, NANOSECONDS)
    return datetime.fromtimestamp(seconds, tz=zone).replace(microsecond=rest // 1000)


def line_counts(accounting: Accounting) -> results.LineCounts:
    """The line accounting as a result record."""
    lines = accounting.lines
    return results.LineCounts(
        total=lines.total, calls=lines.calls, blank=lines.blank, rejected=lines.rejected,
        duplicates=lines.duplicates, other=lines.other, filtered=lines.filtered,
    )  # fmt: skip


def coverage(profile: Profile, total: Tally) -> results.Coverage:
    """How many calls and tokens the cost speaks for."""
    failed = sum(cell.calls for key, cell in profile.cells.items() if key.billing == "failed")
    missing = sum(
        cell.calls for key, cell in profile.cells.items() if key.usage == "missing" and key.billing != "failed"
    )
    tokens = sum(total.tokens)
    return results.Coverage(
        usage_known=total.calls - failed - missing,
        usage_missing=missing,
        failed_without_usage=failed,
        priced_calls=total.priced,
        unpriced_calls=total.unpriced,
        timestamp_missing=sum(cell.calls for key, cell in profile.cells.items() if key.start is None),
        priced_token_share=round(total.priced_tokens / tokens, 6) if tokens else None,
    )


def unpriced_calls(found: UnpricedSums) -> list[results.UnpricedCalls]:
    """Unpriced calls by name and reason, the most tokens first."""
    made = [
        results.UnpricedCalls(
            model=model, provider=provider, calls=sums[0], input_tokens=sums[1], output_tokens=sums[2],
            reason=why.reason, detail=why.detail, nearest=list(why.nearest),
        )
        for (provider, model, _, _), (why, sums) in found.items()
    ]  # fmt: skip
    return sorted(made, key=lambda u: (-(u.input_tokens + u.output_tokens), u.model or "", u.reason, u.detail))


def add_unpriced(sums: UnpricedSums, key: CellKey, cell: Cell, why: Unpriced) -> None:
    """Add a cell that has no price."""
    held = sums.setdefault((key.provider, key.model, why.reason, why.detail), (why, [0, 0, 0]))[1]
    for place, count in enumerate((cell.calls, input_total(cell.tokens), output_total(cell.tokens))):
        held[place] += count


def span(profile: Profile) -> results.Span:
    """The observed span of a profile."""
    first, last = profile.first_ns, profile.last_ns
    if first is None or last is None:
        return results.Span(first=None, last=None, days=0.0, timezone=profile.marks.zone)
    days = round((last - first) / (86_400 * NANOSECONDS), 3)
    return results.Span(first=rfc3339(first), last=rfc3339(last), days=days, timezone=profile.marks.zone)


def rfc3339(ns: int) -> str:
    """An instant in UTC, with a fraction of a second only where there is one."""
    moment = instant(ns, ZoneInfo("UTC")).astimezone(UTC)
    return moment.isoformat().replace("+00:00", "Z")


def prices_used(analyst: Analyst, biller: Biller, terms: Terms) -> results.PricesUsed:
    """The tables that gave a rate, and what pricing assumed."""
    tables = [
        table_used(biller.catalog, name, terms.now, terms.currency, terms.converted_at, sha)
        for name, sha in sorted(analyst.tables.items())
    ]
    return results.PricesUsed(tables=tables, assumptions=dict(sorted(analyst.assumptions.items())))
