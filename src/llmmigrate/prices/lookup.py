"""Names to entries: exact ids first, then listed aliases; everything else is unpriced with suggestions."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase

from llmmigrate.errors import UnknownNameError, nearest
from llmmigrate.prices.cards import Unpriced
from llmmigrate.prices.entries import Entry, Listing, Table
from llmmigrate.prices.names import FREE, NO_NAME, WITHOUT_TABLE, Wanted, folded, is_custom, take_apart
from llmmigrate.prices.periods import Billing
from llmmigrate.prices.tables import ModelSpec, PeriodSpec
from llmmigrate.units import TOKEN_CLASSES

SUGGESTIONS = 200
"""A suggestion takes milliseconds: of thousands of unknown names, the first ones get one."""


class Shelf:
    """The names that one table lists."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.exact: dict[str, Entry] = {}
        self.patterns: list[tuple[str, Entry]] = []
        for entry in entries.values():
            for alias in _aliases(entry):
                if "*" in alias:
                    self.patterns.append((alias, entry))
                else:
                    self.exact.setdefault(alias, entry)
        self.exact.update({folded(entry.id): entry for entry in entries.values()})

    def find(self, spellings: tuple[str, ...]) -> Entry | None:
        """The entry of the first spelling that is listed, exact names before patterns."""
        for name in spellings:
            if name in self.exact:
                return self.exact[name]
        for name in spellings:
            for pattern, entry in self.patterns:
                if fnmatchcase(name, pattern):
                    return entry
        return None


def _aliases(entry: Entry) -> Iterator[str]:
    for listing in entry.listings:
        yield from map(folded, listing.model.aliases)


class Lookup:
    """All names of all tables, and the user's own aliases."""

    def __init__(self, tables: Mapping[str, Table], aliases: Mapping[str, str]) -> None:
        self._tables = tables
        self._shelves = {provider: Shelf(table.entries) for provider, table in tables.items()}
        self._prefixes = {folded(name): table.provider for table in tables.values() for name in table.prefixes}
        self._prefixes.update({folded(provider): provider for provider in tables})
        self._known = {**WITHOUT_TABLE, **self._prefixes}
        self._suggested = 0
        self._answers: dict[tuple[str | None, str | None, bool], Entry | Unpriced] = {}
        self._aliases = {folded(logged): self._target(logged, name) for logged, name in aliases.items()}

    def find(self, provider: str | None, model: str | None, logged_cost: int | None) -> Entry | Unpriced:
        """See `Catalog.find`."""
        key = (provider, model, logged_cost == 0)
        if key not in self._answers:
            self._answers[key] = self._find(folded(provider or ""), folded(model or ""), logged_cost == 0)
        return self._answers[key]

    def _find(self, provider: str, model: str, logged_free: bool) -> Entry | Unpriced:
        own = self._own_alias(provider, model)
        if own:
            return own
        wanted = self._wanted(provider, model)
        if wanted.models[-1] in NO_NAME:
            return Unpriced("unknown_model", "the log does not name a model")
        entry = self._listed(wanted, exact_only=is_custom(model) or model.endswith(FREE))
        if entry:
            return entry
        if model.endswith(FREE):
            return _free(wanted) if logged_free else Unpriced("free_route", f"'{model}': its price is not in any table")
        return self._unpriced(wanted, model)

    def _own_alias(self, provider: str, model: str) -> Entry | None:
        for name in (f"{provider}/{model}", model):
            if name in self._aliases:
                return self._aliases[name]
            for pattern, entry in self._aliases.items():
                if "*" in pattern and fnmatchcase(name, pattern):
                    return entry
        return None

    def _wanted(self, provider: str, model: str) -> Wanted:
        """What the log says of the provider decides; a prefix of another provider is then part of the name."""
        named, spellings = take_apart(model, self._known)
        if provider in NO_NAME:
            return Wanted(named, spellings)
        billed = self._known.get(provider, provider)
        table = self._tables.get(billed)
        if named in (None, billed) or (table and not table.bare_names):
            return Wanted(billed, spellings)
        return Wanted(billed, (model,))

    def _listed(self, wanted: Wanted, *, exact_only: bool) -> Entry | None:
        for shelf in self._shelves_of(wanted.provider):
            entry = shelf.exact.get(wanted.models[0]) if exact_only else shelf.find(wanted.models)
            if entry:
                return entry
        return None

    def _shelves_of(self, provider: str | None) -> list[Shelf]:
        if provider is not None:
            return [self._shelves[provider]] if provider in self._shelves else []
        return [self._shelves[name] for name, table in self._tables.items() if table.bare_names]

    def _unpriced(self, wanted: Wanted, model: str) -> Unpriced:
        self._suggested += 1
        near = self._nearest(wanted) if self._suggested <= SUGGESTIONS else ()
        if is_custom(model):
            return Unpriced("custom_model", f"'{model}' has a price of its own: list it in a table or an alias", near)
        if wanted.provider is not None and wanted.provider not in self._tables:
            return Unpriced("no_table_for_provider", f"no price table for provider '{wanted.provider}'", near)
        whose = f" of {wanted.provider}" if wanted.provider else ""
        return Unpriced("unknown_model", f"no table lists the model '{model}'{whose}", near)

    def _nearest(self, wanted: Wanted) -> tuple[str, ...]:
        tables = [table for table in self._tables.values() if table.provider == wanted.provider]
        tables = tables or [table for table in self._tables.values() if table.layer != "imported"]
        known = {folded(name): f"{table.provider}/{name}" for table in reversed(tables) for name in table.entries}
        return tuple(known[name] for name in nearest(wanted.models[-1].rpartition("/")[2], known))

    def _target(self, logged: str, name: str) -> Entry:
        wanted = take_apart(folded(name), self._known)
        entry = self._listed(wanted, exact_only=False)
        if entry is None:
            near = self._nearest(wanted)
            fix = f"did you mean '{near[0]}'?" if near else "`llmmigrate prices list` shows all models"
            raise UnknownNameError(f"alias '{logged}': unknown model '{name}'", fix=fix)
        return entry


def _free(wanted: Wanted) -> Entry:
    """What a free route costs when the log itself states that it cost nothing."""
    provider, model = wanted.provider or "free-route", wanted.models[-1]
    rates = dict.fromkeys(TOKEN_CLASSES, Decimal(0))
    source = "C: a free route, and the logged cost is 0"
    spec = ModelSpec(id=model, periods=[PeriodSpec(from_="1970-01-01", per_mtok=rates, source=source)])
    billing = Billing(provider, "USD", "", Decimal(1), "")
    return Entry(provider, model, imported=False, listings=(Listing(spec, billing, {}),))
