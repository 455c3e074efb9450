"""From price files to a catalog: the bundled tables, the imported layer, the user's own files."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path

from llmmigrate.errors import ConfigError, unknown_name
from llmmigrate.prices import compiled
from llmmigrate.prices.cards import FxRate
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.clock import Calendar, calendar_from
from llmmigrate.prices.entries import Entry, Layer, Listing, Table
from llmmigrate.prices.exchange import exchange_rates
from llmmigrate.prices.files import PriceFile, read_price_file
from llmmigrate.prices.lookup import Lookup
from llmmigrate.prices.periods import Billing
from llmmigrate.prices.tables import TableSpec

VENDORS = ("openai", "anthropic", "google", "deepseek", "zai", "moonshotai", "dashscope-intl")
"""A bare model name is looked for in this order, then in the other vendors' tables by name."""

NO_TABLES = frozenset({"self-hosted.yaml", "explained.yaml"})
"""Files beside the tables that price no tokens: `prices.self_hosted` and `prices.explained` read them."""


def load_catalog(
    *,
    directory: Path | None = None,
    extra: Sequence[Path] = (),
    aliases: Mapping[str, str] | None = None,
    discounts: Mapping[str, str | Decimal] | None = None,
    imported: bool = True,
) -> Catalog:
    """Load all price tables. `extra` are the user's own files, `discounts` such as `{"openai": "12%"}` (or the
    share, `Decimal("0.12")`).

    Raises `PriceTableError` for a file that breaks the schema, `UnknownNameError` for an alias or a discount that
    leads nowhere, `ConfigError` for a discount that is no percentage.
    """
    layers = _layers(directory or bundled_directory(), extra, imported=imported)
    ready = compiled.read(bundled_directory()) if directory is None else None
    read = [(layer, _read(layer, path, ready)) for layer, path in layers]
    factors = {provider: _discount(provider, text) for provider, text in (discounts or {}).items()}
    tables, calendars = _tables([(layer, file) for layer, file in read if file.table], factors)
    for provider in factors.keys() - tables.keys():
        raise unknown_name("provider in discounts", provider, tables)
    return Catalog(tables, _exchange([file for _, file in read]), calendars, Lookup(tables, aliases or {}))


def _read(layer: Layer, path: Path, ready: compiled.Tables | None) -> PriceFile:
    """A price file; what comes with the package (`ready` is not None) was checked before it was published."""
    if ready is None or layer == "user":
        return read_price_file(path)
    return read_price_file(path, check=False, compiled=ready.get(path.name) if layer == "own" else None)


def bundled_directory() -> Path:
    """Where the tables lie: inside an installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "pricing"
    return installed if installed.is_dir() else package.parents[1] / "pricing"


def table_paths(directory: Path, *, imported: bool = True) -> list[Path]:
    """The price files of a directory, in a stable order."""
    own = sorted(path for path in directory.glob("*.yaml") if path.name not in NO_TABLES)
    return own + (sorted((directory / "imported").glob("*.yaml")) if imported else [])


def _layers(directory: Path, extra: Sequence[Path], *, imported: bool) -> list[tuple[Layer, Path]]:
    bundled = table_paths(directory, imported=imported)
    layers: list[tuple[Layer, Path]] = [
        ("imported" if path.parent.name == "imported" else "own", path) for path in bundled
    ]
    return [*layers, *(("user", path) for path in extra)]


def _tables(
    read: Sequence[tuple[Layer, PriceFile]], factors: Mapping[str, Decimal]
) -> tuple[dict[str, Table], list[Calendar]]:
    by_provider: dict[str, list[tuple[Layer, PriceFile, TableSpec]]] = defaultdict(list)
    for layer, file in read:
        if file.table:
            by_provider[file.table.provider].append((layer, file, file.table))
    calendars: list[Calendar] = []
    ordered = sorted(by_provider, key=search_order)
    tables = {name: _table(by_provider[name], factors.get(name, Decimal(1)), calendars) for name in ordered}
    return tables, calendars


def search_order(provider: str) -> tuple[int, str]:
    """Sorts providers as a bare model name is looked for in their tables."""
    return VENDORS.index(provider) if provider in VENDORS else len(VENDORS), provider


def _table(parts: Sequence[tuple[Layer, PriceFile, TableSpec]], discount: Decimal, calendars: list[Calendar]) -> Table:
    listings: dict[str, list[Listing]] = defaultdict(list)
    for _, file, spec in parts:
        billing = _billing(file, spec, discount)
        known = {name: calendar_from(name, calendar) for name, calendar in spec.calendars.items()}
        calendars.extend(known.values())
        for model in spec.models:
            listings[model.id].append(Listing(model, billing, known))
    layer, _, first = parts[0]
    entries = {
        name: Entry(first.provider, name, imported=layer == "imported", listings=tuple(found))
        for name, found in listings.items()
    }
    return Table(
        provider=first.provider,
        name=first.name or first.provider,
        bare_names=first.bare_names,
        layer=layer,
        currency=first.currency,
        checked=max((spec.checked for _, _, spec in parts if spec.checked), default=None),
        sha256=_joint_hash([file.sha256 for _, file, _ in parts]),
        files=tuple(file.path for _, file, _ in parts),
        api=next((spec.api for _, _, spec in reversed(parts) if spec.api), None),
        prefixes=tuple(prefix for _, _, spec in parts for prefix in spec.prefixes),
        entries=entries,
    )


def _billing(file: PriceFile, spec: TableSpec, discount: Decimal) -> Billing:
    named = dict(spec.multipliers)
    if discount != 1:
        named["discount"] = discount
    currency = spec.currency
    if spec.settlement:
        named["settlement"] = spec.settlement.per_credit_usd
        currency = spec.settlement.currency
    factor = Decimal(1)
    for value in named.values():
        factor *= value
    words = "".join(f", {name} × {value}" for name, value in named.items())
    return Billing(spec.provider, currency, file.sha256, factor, words)


def _joint_hash(hashes: Sequence[str]) -> str:
    return hashes[0] if len(hashes) == 1 else sha256("".join(hashes).encode()).hexdigest()


def _exchange(read: Iterable[PriceFile]) -> tuple[FxRate, ...]:
    return exchange_rates(rate for file in read if file.exchange for rate in file.exchange.exchange_rates)


def _discount(provider: str, discount: str | Decimal) -> Decimal:
    """The factor that a discount leaves of a price."""
    try:
        share = discount if isinstance(discount, Decimal) else _percentage(discount)
    except InvalidOperation:
        share = Decimal(-1)
    if not 0 <= share < 1:
        what = f"discounts: {provider}: '{discount}' is not a discount"
        raise ConfigError(what, fix='write a percentage, such as "12%"')
    return 1 - share


def _percentage(text: str) -> Decimal:
    number, sign, rest = text.strip().partition("%")
    return Decimal(number.strip() if sign and not rest else "?") / 100
