"""An estimate from a profile and what was asked for: targets, rows to stay, months, groups, doubts."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from llmmigrate.costing import results
from llmmigrate.costing.analysis import group_key, instant, line_counts, rfc3339, span
from llmmigrate.costing.bill import ZERO
from llmmigrate.costing.calibration import Calibrations
from llmmigrate.costing.candidates import Candidates
from llmmigrate.costing.estimate import Estimator
from llmmigrate.costing.measurements import CalibrationUsed
from llmmigrate.costing.mix import Part, broken_down, choose, joined, split
from llmmigrate.costing.outcomes import Known, Outcome, Scenario, assumptions, label_of, mapped, moved_to, ranked
from llmmigrate.costing.potential import PrefixCaching
from llmmigrate.costing.projection import DayCost, Projection, project
from llmmigrate.costing.request import KEEP, Request
from llmmigrate.costing.rows import Priced, calibrations_used, grouped, is_measured, moved, rank, stranded
from llmmigrate.costing.selfhosted import Today, is_machine, machine_rows
from llmmigrate.costing.tables import table_used
from llmmigrate.costing.warnings import explain_reading
from llmmigrate.costing.whatif import Conditions
from llmmigrate.money import exact, plain
from llmmigrate.prices.cards import Unpriced
from llmmigrate.prices.catalog import Catalog
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.profile import Profile, input_total, output_total


def estimate_traffic(
    profile: Profile,
    catalog: Catalog,
    request: Request,
    *,
    command: str,
    version: str,
    caching: PrefixCaching | None = None,
) -> results.Estimate:
    """The estimate; `caching` is what a prefix cache could serve, where that was looked at.

    Raises UnknownNameError for a target that no price table knows, UsageError for a calibration that does not fit.
    """
    maker = _Maker(profile, catalog, request)
    outcomes = maker.outcomes()
    accounting = profile.accounting
    return results.Estimate(
        schema="llmmigrate.estimate/1",
        command=command,
        version=version,
        as_of="each call's own date" if request.logged else rfc3339(request.as_of * NANOSECONDS),
        sources=[results.SourceFile(path=s.path, bytes=s.bytes, sha256=s.sha256, formats=s.formats)
                 for s in accounting.sources],
        lines=line_counts(accounting),
        coverage=maker.coverage(),
        unpriced=maker.unpriced(),
        span=span(profile),
        current=maker.current(),
        targets=sorted([*map(maker.target, outcomes), *maker.machines(), *maker.mixed()], key=rank),
        caching=caching,
        projection=maker.projection(),
        prices=maker.prices(outcomes),
        warnings=explain_reading(profile),
    )  # fmt: skip


class _Maker:
    """Holds what the parts of an estimate share."""

    def __init__(self, profile: Profile, catalog: Catalog, request: Request) -> None:
        self._profile = profile
        self._catalog = catalog
        self._request = request
        self._conditions = Conditions(request.as_of, request.logged, request.cache, batch_share=request.batch_share)
        self._calibrations = Calibrations(
            [(catalog.named(found.source), catalog.named(found.target), found) for found in request.calibrations],
            cache=request.measured_cache,
            counted=request.counted,
        )
        self._estimator = Estimator(profile, catalog, self._conditions, request.currency, self._calibrations)
        self._projected = self._project()

    def outcomes(self) -> list[Outcome]:
        """The priced scenarios, the cheapest first; without named targets the rows to stay come last."""
        if self._request.to or self._request.map:
            named = self._named()
            self._check_calibrations(named)
            return self._priced(named)
        candidates = Candidates(self._estimator, self._catalog, self._conditions, self._request.share)
        targets = [o for o in self._priced(candidates.targets()) if o.moves and not o.held_out_calls]
        stays = [o for o in self._priced(candidates.stays()) if o.moved_now != o.moved_then]
        siblings = [o for o in self._priced(candidates.siblings()) if o.moves and not o.held_out_calls]
        return [*targets, *ranked([*stays, *siblings[:1]])]

    def machines(self) -> list[results.EstimateTarget]:
        """The rows of the named targets that are machines."""
        names = [name for name in self._request.to if is_machine(name)]
        if not names:
            return []
        current = self.current()
        sources = [label_of(entry) for name in self._estimator.sources() if (entry := self._estimator.source(name))]
        today = Today(
            None if current.cost is None else Decimal(current.cost), current.calls, sources, current.models,
            self._span_days(), self._request.share,
        )  # fmt: skip
        return machine_rows(names, self._profile, today, self._request.currency)

    def _span_days(self) -> Decimal:
        first, last = self._profile.first_ns, self._profile.last_ns
        return Decimal(0) if first is None or last is None else Decimal(last - first) / (86_400 * NANOSECONDS)

    def _check_calibrations(self, scenarios: list[Scenario]) -> None:
        names = self._estimator.names
        targets = [found for scenario in scenarios for name in names if (found := scenario.target_of(name)) is not None]
        sources = [found for name in names if (found := self._estimator.source(name)) is not None]
        self._calibrations.check_used(sources, targets)

    def _priced(self, scenarios: Iterable[Scenario]) -> list[Outcome]:
        return ranked(self._estimator.price(scenario) for scenario in scenarios)

    def _named(self) -> list[Scenario]:
        request = self._request
        names = [name for name in request.to if not is_machine(name)]
        found = [moved_to(self._catalog.named(name), name, self._conditions, request.share) for name in names]
        if request.map:
            targets = {name: None if to == KEEP else self._catalog.named(to) for name, to in request.map.items()}
            found.append(mapped(targets, self._conditions, request.share))
        return found

    def coverage(self) -> results.Coverage:
        """How much of the log the estimate speaks for."""
        counts = self._estimator.calls_by_kind()
        sums = [(now is not None, s) for _, s, now in self._estimator.today()]
        priced = sum(s.calls for known, s in sums if known)
        priced_tokens = sum(sum(s.tokens) for known, s in sums if known)
        tokens = sum(sum(s.tokens) for _, s in sums)
        return results.Coverage(
            usage_known=counts["known"], usage_missing=counts["missing"], failed_without_usage=counts["failed"],
            priced_calls=priced, unpriced_calls=sum(s.calls for known, s in sums if not known),
            timestamp_missing=counts["undated"],
            priced_token_share=round(priced_tokens / tokens, 6) if tokens else None,
        )  # fmt: skip

    def unpriced(self) -> list[results.UnpricedCalls]:
        """Calls whose cost today is not known, by model."""
        sums: dict[tuple[str | None, str | None], list[int]] = {}
        for part, s, now in self._estimator.today():
            if now is None:
                held = sums.setdefault((part.provider, part.model), [0, 0, 0])
                for place, value in enumerate((s.calls, input_total(s.tokens), output_total(s.tokens))):
                    held[place] += value
        made = [self._unpriced(provider, model, held) for (provider, model), held in sums.items()]
        return sorted(made, key=lambda entry: (-(entry.input_tokens + entry.output_tokens), entry.model or ""))

    def _unpriced(self, provider: str | None, model: str | None, sums: list[int]) -> results.UnpricedCalls:
        found = self._catalog.find(provider, model)
        why = found if isinstance(found, Unpriced) else Unpriced("no_price_at_date", f"{label_of(found)}: no rate then")
        return results.UnpricedCalls(
            model=model, provider=provider, calls=sums[0], input_tokens=sums[1], output_tokens=sums[2],
            reason=why.reason, detail=why.detail, nearest=list(why.nearest),
        )  # fmt: skip

    def current(self) -> results.EstimateCurrent:
        """Today's cost of the priced calls."""
        nows = [(now, sums.calls) for _, sums, now in self._estimator.today()]
        total = self._total(now for now, _ in nows)
        priced = sum(calls for now, calls in nows if now is not None)
        month = self._projected.month if self._projected else None
        return results.EstimateCurrent(
            cost=plain(total) if priced else None,
            currency=self._request.currency,
            calls=sum(calls for _, calls in nows),
            priced_calls=priced,
            month=results.Outlook(cost=_text(month.cost if month else None), low=_text(month.low if month else None),
                                  high=_text(month.high if month else None)),
            models=[model or "" for _, model in self._estimator.sources()],
        )  # fmt: skip

    def projection(self) -> results.ProjectionResult:
        """The projected cost of the traffic as it is."""
        found = self._projected
        if found is None:
            nothing = results.Outlook(cost=None, low=None, high=None)
            why = "no call of the log has both a price and a timestamp"
            return results.ProjectionResult(
                month=nothing, year=nothing, rate_per_day=None, method="no projection", refused="not_measured", why=why
            )
        outlooks = [
            results.Outlook(cost=_text(part.cost), low=_text(part.low), high=_text(part.high))
            for part in (found.month, found.year)
        ]
        refused = found.refused
        return results.ProjectionResult(
            month=outlooks[0], year=outlooks[1], rate_per_day=_text(found.rate_per_day), method=found.method,
            refused=refused.code if refused else None, why=refused.words if refused else None,
        )  # fmt: skip

    def _project(self) -> Projection | None:
        first, last = self._profile.first_ns, self._profile.last_ns
        days = self._days()
        if first is None or last is None or not days:
            return None
        zone = ZoneInfo(self._profile.marks.zone)
        costs = [DayCost(day, cost) for day, cost in sorted(days.items())]
        return project(costs, first=instant(first, zone), last=instant(last, zone), growth=self._request.growth)

    def _days(self) -> dict[date, Decimal]:
        """Today's cost by day; calls dated in the future are left out, as they are of the span."""
        zone = ZoneInfo(self._profile.marks.zone)
        days: dict[date, float] = {}
        for start, cost in self._estimator.day_costs(self._request.now + 86_400).items():
            day = datetime.fromtimestamp(start, tz=zone).date()
            days[day] = days.get(day, 0.0) + cost
        return {day: Decimal(repr(round(cost, 9))) for day, cost in days.items()}

    def _total(self, nows: Iterable[Known | None]) -> Decimal:
        """Amounts of any currency in the estimate's, converted once a currency."""
        sums: dict[str, Decimal] = {}
        with exact():
            for now in nows:
                if now is not None:
                    sums[now.currency] = sums.get(now.currency, ZERO) + now.amount.middle
            return sum((self._estimator.convert(amount, currency) for currency, amount in sums.items()), ZERO)

    def target(self, outcome: Outcome) -> results.EstimateTarget:
        """One row of the ranked table."""
        scenario = outcome.scenario
        saving, low, high = self._saving(outcome)
        share = float(round(saving / outcome.current, 6)) if saving is not None and outcome.current else None
        held = outcome.held_out_now / outcome.current if outcome.current else None
        return results.EstimateTarget(
            to=scenario.label,
            kind=scenario.kind,
            moves=sorted(outcome.moves),
            sources=sorted(outcome.sources),
            currency=self._request.currency,
            calls=outcome.calls,
            cost=plain(outcome.cost),
            low=plain(outcome.low),
            high=plain(outcome.high),
            range_kind="interval95" if is_measured(outcome) else "assumed",
            saving=_text(saving),
            saving_low=_text(low),
            saving_high=_text(high),
            saving_share=share,
            month_saving=self._month_saving(outcome),
            tolerance=None if outcome.tolerance is None else float(round(outcome.tolerance, 4)),
            moved=moved(outcome),
            cannot_hold=results.CannotHold(
                calls=outcome.held_out_calls, spend_share=None if held is None else float(round(held, 6))
            ),
            unpriced_there=stranded(outcome),
            grade=outcome.grade,
            assumptions=[
                results.AssumptionResult(
                    name=a.name, value=_value(a.value), source=a.source, low=_text(a.low), high=_text(a.high), why=a.why
                )
                for a in assumptions(outcome)
            ],
            calibrations=self._calibrations_of(outcome),
            notes=sorted(outcome.notes),
            machines=None,
            groups=self._groups(scenario) if self._request.by and scenario.kind != "mix" else [],
        )

    def _saving(self, outcome: Outcome) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
        """The saving and its range: the dearest end of the target's range is the lowest saving."""
        if not outcome.compared_calls:
            return None, None, None
        with exact():
            now = outcome.current
            return now - outcome.comparable, now - outcome.comparable_high, now - outcome.comparable_low

    def _month_saving(self, outcome: Outcome) -> results.Outlook | None:
        """The saving's share of the projected month; its range is that of the target's cost alone."""
        month = self._projected.month.cost if self._projected else None
        if month is None or not outcome.current:
            return None
        parts = [part for part in self._saving(outcome) if part is not None]
        if not parts:
            return None
        cost, low, high = (plain(round(month * part / outcome.current, 6)) for part in parts)
        return results.Outlook(cost=cost, low=low, high=high)

    def _groups(self, scenario: Scenario) -> list[results.TargetGroup]:
        """The scenario for each group of the traffic, the dearest today first."""
        found = [
            Priced(part.key, scenario.label, self._for_part(part.profile).price(scenario)) for part in self._parts()
        ]
        return grouped(found, self._request.by)

    def _parts(self, more: tuple[str, ...] = ()) -> list[Part]:
        return split(self._profile, group_key((*self._request.by, *more), self._profile))

    def _for_part(self, part: Profile) -> Estimator:
        return Estimator(part, self._catalog, self._conditions, self._request.currency, self._calibrations)

    def mixed(self) -> list[results.EstimateTarget]:
        """The row of the cheapest allowed target for each group, where that was asked for."""
        request = self._request
        if not request.mix:
            return []
        candidates = (
            self._named() or Candidates(self._estimator, self._catalog, self._conditions, request.share).targets()
        )
        chosen = choose(self._parts(), self._for_part, candidates, request.permits)
        row = self.target(joined(chosen, self._conditions, request.share))
        groups = grouped(chosen, request.by)
        if request.mix_by:
            shown = broken_down(chosen, self._parts(request.mix_by), self._for_part, len(request.by))
            groups = grouped(shown, request.mix_by)
        used = {c.path: c for part in chosen for c in self._calibrations_of(part.outcome)}
        return [msgspec.structs.replace(row, groups=groups, calibrations=list(used.values()))]

    def _calibrations_of(self, outcome: Outcome) -> list[CalibrationUsed]:
        return calibrations_used(outcome, self._estimator, self._calibrations)

    def prices(self, outcomes: list[Outcome]) -> results.PricesUsed:
        """The tables of the targets and of the sources."""
        names = {entry.provider for name in self._estimator.sources() if (entry := self._estimator.source(name))}
        targets = [outcome.scenario.target_of(name) for outcome in outcomes for name in self._estimator.names]
        names |= {target.provider for target in targets if target is not None}
        notes: dict[str, int] = {}
        for outcome in outcomes:
            for note in outcome.notes:
                notes[note] = notes.get(note, 0) + 1
        return results.PricesUsed(
            tables=[
                table_used(self._catalog, name, self._request.now, self._request.currency, self._request.as_of)
                for name in sorted(names)
                if name in self._catalog.tables
            ],
            assumptions=dict(sorted(notes.items())),
        )


def _value(value: Decimal | str) -> str:
    return value if isinstance(value, str) else format(value, "f")


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
