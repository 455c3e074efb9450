"""What a price source says against what the tables have: what changes, what is new, what is refused.

Nothing is ever edited: a changed rate is a new period from the day of observation on, which ends the one before it.
A model that the source drops stays. A source follows its own earlier word in everything; against a price that was
written by hand it counts only where both state a rate; what another library wrote it leaves alone.
"""

import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

import msgspec

from llmmigrate.money import plain
from llmmigrate.prices.cards import Unpriced
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry, Table
from llmmigrate.prices.names import folded, is_custom
from llmmigrate.prices.periods import Period, epoch
from llmmigrate.prices.rates import rates_of, rates_of_spec
from llmmigrate.prices.tables import ModelSpec, PeriodSpec, TableSpec
from llmmigrate.prices.update_results import Addition, LeftAlone, RateChange, Refusal
from llmmigrate.prices.updates import Snapshot

JUMP: Final = 5
"""A rate that rises to more than this many times, or falls below this part, is believed only when it is accepted."""
ALIKE: Final = 0.6
"""How alike two names have to be for the one to be taken for the other's new name."""
_WRITTEN: Final = re.compile(r"C: (?P<source>[\w-]+) (?P<version>\S+(?: [0-9a-f]{12})?), observed \d{4}-\d\d-\d\d")

Explained = Callable[[str, str, str, Decimal], str | None]
"""Why a source's other word is not followed: (source, provider/model, rate, what the source says) → reason or None."""


class Edit(NamedTuple):
    """What is appended to one provider's table."""

    frame: TableSpec
    """The source's table: its head is that of a new file."""
    periods: Mapping[str, Sequence[PeriodSpec]]
    models: Sequence[ModelSpec]
    gone: Sequence[str]


class Plan(NamedTuple):
    """What an update would do."""

    edits: Mapping[str, Edit]
    changed: Sequence[RateChange]
    added: Sequence[Addition]
    gone: Sequence[str]
    left: Sequence[LeftAlone]
    refused: Sequence[Refusal]


class Question(NamedTuple):
    """What is asked of a source."""

    source: str
    version: str
    observed: date
    accept: Sequence[str]
    """Patterns of provider/model that are believed, whatever changes there."""
    explained: Explained

    @property
    def start(self) -> int:
        """The instant from which a changed rate holds."""
        return epoch(self.observed.isoformat())

    def wrote(self, period: Period) -> bool:
        """Whether this source wrote the period."""
        found = _WRITTEN.fullmatch(period.source)
        return found is not None and found["source"] == self.source


def plan(catalog: Catalog, snapshot: Snapshot, question: Question, providers: Collection[str] = ()) -> Plan:
    """What the snapshot changes in the tables of `catalog`; only of `providers`, where some are named."""
    edits: dict[str, Edit] = {}
    everything = _Findings(_makers(catalog))
    for said in snapshot.tables:
        if not providers or said.provider in providers:
            known = catalog.tables.get(said.provider)
            comparison = _Comparison(catalog, known, said, question, everything)
            edits[said.provider] = comparison.edit(snapshot.left_out.get(said.provider, ()))
    for table in catalog.tables.values():
        if table.provider not in edits and (not providers or table.provider in providers):
            lost = [_full(entry) for entry in table.entries.values() if _held(entry, question)]
            why = "the source has no table of its provider any more"
            everything.refused += [Refusal(model=name, why=why) for name in lost]
    return Plan(edits, everything.changed, everything.added, everything.gone, everything.left, everything.refused)


def newer_version(catalog: Catalog, source: str, version: str) -> str | None:
    """A version of the source, newer than this one, that periods of the tables were taken from."""
    found = (_WRITTEN.fullmatch(text) for text in {period.source for e in catalog.entries() for period in e.periods})
    taken = {match["version"] for match in found if match and match["source"] == source}
    newer = [each for each in taken if _numbers(each) > _numbers(version) > ()]
    return max(newer, key=_numbers, default=None)


def _numbers(version: str) -> tuple[int, ...]:
    """A version's numbers, in order; none of a JSON file, whose version is a digest."""
    return tuple(int(part) for part in re.findall(r"\d+", version)) if version[:1].isdigit() else ()


class _Findings:
    """What was found so far, over all providers; `makers`: family of models → who makes it."""

    def __init__(self, makers: Mapping[str, str]) -> None:
        self.makers = makers
        self.changed: list[RateChange] = []
        self.added: list[Addition] = []
        self.gone: list[str] = []
        self.left: list[LeftAlone] = []
        self.refused: list[Refusal] = []


class _Comparison:
    """One provider's tables: ours against the source's."""

    def __init__(
        self, catalog: Catalog, known: Table | None, said: TableSpec, question: Question, findings: _Findings
    ) -> None:
        self.catalog, self.known, self.said, self.question, self.findings = catalog, known, said, question, findings
        self.entries = _by_name(known)
        self.periods: dict[str, list[PeriodSpec]] = defaultdict(list)
        self.models: list[ModelSpec] = []

    def edit(self, left_out: Collection[str]) -> Edit:
        """What is to be appended; everything else goes to the findings."""
        listed = {folded(model.id) for model in self.said.models}
        met: set[str] = set()
        for model in self.said.models:
            entry = self._entry(model)
            if entry is None:
                self._new(model)
            elif folded(entry.id) == folded(model.id) or folded(entry.id) not in listed:
                met.add(entry.id)
                self._compare(entry, model)
        gone = list(self._gone(met, left_out))
        return Edit(self.said, dict(self.periods), self.models, gone)

    def _entry(self, model: ModelSpec) -> Entry | None:
        """The model of the tables that this one is, if any. A pattern of a table kept by hand is that table's word."""
        found = self.entries.get(folded(model.id))
        if found is None and self.known is not None:
            named = self.catalog.find(self.known.provider, model.id)
            if isinstance(named, Entry) and named.provider == self.known.provider and not named.imported:
                found = named
        return found

    def _new(self, model: ModelSpec) -> None:
        rates = model.periods[0].per_mtok
        name = f"{self.said.provider}/{model.id}"
        if not any(rates.values()):
            self._leave(name, "new, and said to be free: a library writes 0 for what it does not know, too")
            return
        if is_custom(folded(model.id)):
            self._leave(name, "a model of somebody's own has a price of its own: list it by hand")
            return
        maker = self.findings.makers.get(_family(model.id), self.said.provider)
        if maker != self.said.provider and self.known is not None and self.known.bare_names:
            self._leave(name, f"resold, and by its name {maker}'s: a table of a maker lists its own models")
            return
        own = self.known is not None and self.known.layer != "imported"
        aliases = [alias for alias in model.aliases if not own or self._is_free(alias)]
        self.models.append(msgspec.structs.replace(model, aliases=aliases))
        self.findings.added.append(_addition(name, model.periods[0]))

    def _is_free(self, alias: str) -> bool:
        """Whether a name may be given to a new model: it is exact, and no table has it."""
        return "*" not in alias and isinstance(self.catalog.find(self.said.provider, alias), Unpriced)

    def _compare(self, entry: Entry, model: ModelSpec) -> None:
        held = entry.period_at(self.question.start)
        if held is None:
            return  # its price has ended here, or is not known so far back
        ours, new = self.question.wrote(held), model.periods[0]
        changes = _changes(_full(entry), rates_of(held), rates_of_spec(new), both=not ours)
        if changes:
            why = self._reason_to_leave(entry, held, changes)
            if why:
                self._leave(_full(entry), why)
            elif entry.id not in self.periods and not self._refuse(entry, changes):
                self.findings.changed += changes
                self.periods[entry.id].append(new if ours else _kept_rules(held, entry, new))
        if ours:
            self._announced(entry, model)

    def _announced(self, entry: Entry, model: ModelSpec) -> None:
        """Prices that the source announces for later days; none is put between two that are known."""
        starts = {period.start for period in entry.periods}
        newest = _newest(entry)
        for period in model.periods[1:]:
            if epoch(period.from_) in starts:
                continue
            if epoch(period.from_) < newest.start:
                self._leave(_full(entry), f"announced for {period.from_}, but {_known_later(newest)}")
            else:
                self.periods[entry.id].append(period)
                self.findings.added.append(_addition(_full(entry), period))

    def _reason_to_leave(self, entry: Entry, held: Period, changes: Sequence[RateChange]) -> str | None:
        written = _WRITTEN.fullmatch(held.source)
        if written and not self.question.wrote(held):
            return f"kept by {written['source']}"
        if held.billing.currency != "USD" or held.billing.multiplier != 1:
            return f"priced in {held.billing.currency}, or with a factor of its own"
        if held.clocks or held.or_rates:
            return "its price depends on the clock, or has two readings: change it by hand"
        if _newest(entry).start >= self.question.start:
            return _known_later(_newest(entry))
        if self._all_explained(entry, changes):
            return "explained in explained.yaml"
        return None

    def _all_explained(self, entry: Entry, changes: Sequence[RateChange]) -> bool:
        said = ((each.rate, each.after) for each in changes)
        ask, source, name = self.question.explained, self.question.source, _full(entry)
        return all(after is not None and ask(source, name, rate, Decimal(after)) is not None for rate, after in said)

    def _refuse(self, entry: Entry, changes: Sequence[RateChange]) -> bool:
        """Whether what changes is not to be believed."""
        if is_accepted(_full(entry), self.question.accept):
            return False
        found = [Refusal(model=each.model, why=why) for each in changes for why in _doubts(each)]
        self.findings.refused += found
        return bool(found)

    def _gone(self, met: Collection[str], left_out: Collection[str]) -> Iterator[str]:
        """Models whose price is this source's and that it does not list any more: refused, or accepted and kept."""
        new = {model.id: rates_of_spec(model.periods[0]) for model in self.models}
        for entry in self.known.entries.values() if self.known else ():
            held = _held(entry, self.question)
            if held is None or entry.id in met:
                continue
            if is_accepted(_full(entry), self.question.accept):
                self.findings.gone.append(_full(entry))
                yield entry.id
                continue
            why = "the source does not list it any more"
            if entry.id in left_out:
                why = "the source has it in a form that is no price per token"
            renamed = _new_name(entry.id, rates_of(held), new)
            self.findings.refused.append(
                Refusal(model=_full(entry), why=f"{why}: is it '{renamed}' now?" if renamed else why)
            )

    def _leave(self, name: str, why: str) -> None:
        found = LeftAlone(model=name, why=why)
        if found not in self.findings.left:  # a source may list one model under two names
            self.findings.left.append(found)


def _makers(catalog: Catalog) -> dict[str, str]:
    """Family of models, such as `claude`, → the first maker whose table, kept by hand, lists one of it."""
    owners: dict[str, str] = {}
    for table in catalog.tables.values():
        for name in table.entries if table.bare_names and table.layer != "imported" else ():
            owners.setdefault(_family(name), table.provider)
    return owners


def _family(name: str) -> str:
    """The letters that a model's name starts with."""
    return re.split(r"[^a-z]", folded(name), maxsplit=1)[0]


def _by_name(table: Table | None) -> dict[str, Entry]:
    """Ids and exact aliases; an id wins over another model's alias."""
    entries = list(table.entries.values()) if table else []
    names = {
        folded(alias): entry
        for entry in entries
        for listing in entry.listings
        for alias in listing.model.aliases
        if "*" not in alias
    }
    return names | {folded(entry.id): entry for entry in entries}


def _changes(name: str, before: Mapping[str, Decimal], after: Mapping[str, Decimal], *, both: bool) -> list[RateChange]:
    """The rates that differ; `both`: only those that either side states."""
    rates = before.keys() & after.keys() if both else before.keys() | after.keys()
    ordered = [rate for rate in dict.fromkeys([*before, *after]) if rate in rates]
    return [
        RateChange(model=name, rate=rate, before=_text(before.get(rate)), after=_text(after.get(rate)))
        for rate in ordered
        if before.get(rate) != after.get(rate)
    ]


def _doubts(change: RateChange) -> Iterator[str]:
    if change.before is None:
        return
    before = Decimal(change.before)
    if change.after is None:
        if change.rate in ("input", "output"):
            yield f"{change.rate}: {change.before} → no rate"
        return
    after = Decimal(change.after)
    words = f"{change.rate}: {change.before} → {change.after}"
    if not after:
        yield f"{words} would be free"
    elif not before or after > JUMP * before:
        yield f"{words} is more than {JUMP} times as much"
    elif after * JUMP < before:
        yield f"{words} is less than a {JUMP}th"


def _kept_rules(held: Period, entry: Entry, new: PeriodSpec) -> PeriodSpec:
    """The source's rates with those rules of ours that are no rates: factors of tiers, fees, where the bands end."""
    spec = next(
        period
        for listing in reversed(entry.listings)
        for period in listing.model.periods
        if f"{entry.provider}/{entry.id}@{period.from_}" == held.name
    )
    factors = {name: tier for name, tier in spec.tiers.items() if tier.times and not tier.per_mtok}
    usable = {name: tier for name, tier in factors.items() if tier.times.keys() <= new.per_mtok.keys()}
    ours = {row.prompt_above for row in held.rows if row.prompt_above >= 0}
    unsaid = ours - {row.when.prompt_above for row in new.rows}
    ends = [end for end in (held.prompt_upto, new.prompt_upto, *unsaid) if end is not None]
    return msgspec.structs.replace(
        new,
        tiers={**usable, **new.tiers},
        per_piece={**held.fees, **new.per_piece},
        prompt_upto=min(ends, default=None),
    )


def _held(entry: Entry, question: Question) -> Period | None:
    """The running period, if this source wrote it and its model is not retired."""
    held = entry.period_at(question.start)
    retired = entry.retires is not None and entry.retires <= question.start
    return held if held and question.wrote(held) and not retired else None


def _newest(entry: Entry) -> Period:
    return max(entry.periods, key=lambda period: period.start)


def _known_later(newest: Period) -> str:
    """Why nothing is put before a period: the one before it would end earlier, and old calls would cost another sum."""
    day = datetime.fromtimestamp(newest.start, UTC).date()
    if newest.announced:
        return f"a price from {day} on is announced already: change it by hand"
    return f"it has a price from {day} on already: name a later day with --observed"


def _new_name(name: str, rates: Mapping[str, Decimal], new: Mapping[str, Mapping[str, Decimal]]) -> str | None:
    """The new model of the same price that is named most like the one that is gone."""
    same = [other for other, its in new.items() if its == rates]
    found = difflib.get_close_matches(name, same, n=1, cutoff=ALIKE)
    return found[0] if found else None


def is_accepted(name: str, patterns: Sequence[str]) -> bool:
    """Whether a model, as provider/model, is one of those that are believed."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _addition(name: str, period: PeriodSpec) -> Addition:
    rates = period.per_mtok
    return Addition(model=name, start=period.from_, input=_text(rates.get("input")), output=_text(rates.get("output")))


def _full(entry: Entry) -> str:
    return f"{entry.provider}/{entry.id}"


def _text(rate: Decimal | None) -> str | None:
    return None if rate is None else plain(rate)
