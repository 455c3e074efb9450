"""What all price sources share: exact figures, and the frame of a table."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from llmmigrate.money import plain
from llmmigrate.prices.tables import ModelSpec, TableSpec
from llmmigrate.prices.updates._providers import IMPORTED


def exact(value: object) -> Decimal:
    """A figure of a source, without zeros at its end. ValueError for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError(f"{value!r} is not a rate")
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a rate") from None
    if not found.is_finite() or found < 0:
        raise ValueError(f"{value!r} is not a rate")
    return Decimal(plain(found))


def table(provider: str, models: Sequence[ModelSpec], urls: list[str], observed: date) -> TableSpec:
    """A table in USD; one of a provider that only sources list has its names and its API, too."""
    about = IMPORTED.get(provider)
    return TableSpec(
        schema=1,
        provider=provider,
        name=about.name if about else None,
        bare_names=bool(about and about.bare_names),
        currency="USD",
        checked=observed.isoformat(),
        api=about.api if about else None,
        prefixes=about.prefixes if about else [],
        pricing_urls=urls,
        models=list(models),
    )
