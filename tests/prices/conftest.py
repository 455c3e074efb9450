"""What the tests of prices share."""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from llmmigrate.prices import EVERY_SIZE, Answer, Band, Catalog, Entry, Interval, RateCard, load_catalog

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # tools are scripts of the repository, not part of the package
NOW = int(datetime.fromisoformat("2026-11-22T00:00:00Z").timestamp())


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture
def entry(catalog: Catalog) -> Callable[[str], Entry]:
    """An entry by `provider/id`."""

    def find(name: str) -> Entry:
        found = catalog.find(None, name)
        assert isinstance(found, Entry), found
        return found

    return find


def second(text: str) -> Interval:
    """The interval of one second that starts at `text`."""
    start = int(datetime.fromisoformat(text).timestamp())
    return Interval(start, start + 1)


def exactly(tokens: int) -> Band:
    """The band of one size."""
    return Band(tokens - 1, tokens)


def ask(
    catalog: Catalog,
    entry: Entry,
    at: str | None,
    *,
    prompt: Band = EVERY_SIZE,
    tier: str = "standard",
    as_of: int = NOW,
) -> tuple[Answer, ...]:
    """What a call at that instant can cost."""
    interval = second(at) if at else None
    return catalog.cards(entry, at=interval, as_of=as_of, prompt=prompt, output=EVERY_SIZE, tier=tier)


def the_card(answers: tuple[Answer, ...]) -> RateCard:
    """The only answer, which has to be a price."""
    (card,) = answers
    assert isinstance(card, RateCard), card
    return card


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Catalog]:
    """A catalog of the bundled tables and one more file, given as text."""

    def write_and_load(text: str, **options: object) -> Catalog:
        path = tmp_path / "contract.yaml"
        path.write_text(text, encoding="utf-8")
        return load_catalog(extra=[path], imported=False, **options)  # type: ignore[arg-type]

    return write_and_load


SOURCES = ROOT / ".venv" / "price-sources"


@pytest.fixture(scope="session")
def price_sources() -> dict[str, Path]:
    """The wheels of genai-prices and litellm that our tables were compared with."""
    found = {name: sorted(SOURCES.glob(f"{name}-*.whl")) for name in ("genai_prices", "litellm")}
    if not all(found.values()):
        pytest.skip("the price libraries were not fetched: make price-sources")
    return {name.replace("_", "-"): paths[-1] for name, paths in found.items()}
