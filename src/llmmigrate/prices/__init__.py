"""What providers charge: dated tables, clocks, names, and the catalog that answers for all of them."""

from llmmigrate.prices.cards import EVERY_SIZE, Answer, Band, FxRate, Interval, Marks, RateCard, Unpriced
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry, Table
from llmmigrate.prices.loading import bundled_directory, load_catalog, table_paths

__all__ = [
    "EVERY_SIZE",
    "Answer",
    "Band",
    "Catalog",
    "Entry",
    "FxRate",
    "Interval",
    "Marks",
    "RateCard",
    "Table",
    "Unpriced",
    "bundled_directory",
    "load_catalog",
    "table_paths",
]
