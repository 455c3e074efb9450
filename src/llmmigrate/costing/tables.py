"""The price tables that a result rests on, with their age and the exchange rate of their currency."""

from datetime import UTC, date, datetime
from decimal import Decimal

from llmmigrate.costing.results import TableUsed
from llmmigrate.money import plain
from llmmigrate.prices.cards import FxRate
from llmmigrate.prices.catalog import Catalog


def table_used(catalog: Catalog, name: str, now: int, currency: str, at: int, sha256: str | None = None) -> TableUsed:
    """A price table that gave a rate, with its age at `now` and the rate at `at` (epoch seconds) into `currency`."""
    table = catalog.tables[name]
    today = datetime.fromtimestamp(now, tz=UTC).date()
    age = None if table.checked is None else max(0, (today - date.fromisoformat(table.checked)).days)
    same = table.currency == currency
    return TableUsed(
        provider=table.provider,
        sha256=sha256 or table.sha256,
        checked=table.checked,
        age_days=age,
        currency=table.currency,
        exchange=None if same else exchange_words(catalog.convert(Decimal(1), table.currency, currency, at)[1]),
    )


def exchange_words(rate: FxRate) -> str:
    """An exchange rate with its date and source."""
    since = datetime.fromtimestamp(rate.start, tz=UTC).date()
    return f"1 {rate.base} = {plain(rate.rate)} {rate.quote} from {since}, {rate.source}"
