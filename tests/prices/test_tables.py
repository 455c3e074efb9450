"""The bundled tables say what their sources say, and obey their own rules."""

import csv
import json
import runpy
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.prices.conftest import NOW, second, the_card

from llmmigrate.prices import EVERY_SIZE, Band, Catalog, Entry, Interval, RateCard, table_paths
from llmmigrate.prices.loading import bundled_directory
from llmmigrate.prices.periods import epoch
from llmmigrate.prices.validation import validate

DIRECTORY = bundled_directory()
SCHEMA_FILES = list(
    runpy.run_path(str(Path(__file__).parents[2] / "tools" / "write_price_schema.py"))["schema_files"]()
)
YUAN = {
    ("glm-5.3", 100): ("8", "2", "28"),
    ("glm-5.3-flash", 100): ("0.8", "0.23", "2.8"),
    ("glm-5", 100): ("4", "1", "18"),
    ("glm-5", 32_001): ("6", "1.5", "22"),
}


def rows(data: Path, name: str) -> Iterator[dict[str, str]]:
    with (data / name).open(newline="") as file:
        yield from csv.DictReader(file)


def numbers(card: RateCard, *names: str) -> tuple[Decimal | None, ...]:
    return tuple(card.rates.get(name) for name in names)  # type: ignore[call-overload]


def wanted(row: dict[str, str], *names: str) -> tuple[Decimal | None, ...]:
    return tuple(Decimal(row[name]) if row[name] else None for name in names)


def listed(catalog: Catalog, row: dict[str, str]) -> Entry:
    return catalog.tables[row["provider"]].entries[row["model"]]


def test_every_dated_price_fact_is_in_the_tables(catalog: Catalog, data: Path) -> None:
    wrong = []
    for row in rows(data, "price_facts.csv"):
        if row["currency"] != "USD":
            continue
        start = epoch(row["effective_from"])
        answers = catalog.cards(
            listed(catalog, row),
            at=Interval(start, start + 86_400 * 3),  # three days hold a peak hour of a working day
            as_of=max(NOW, start + 1),
            prompt=Band(-1, 1000),
            output=EVERY_SIZE,
            tier="standard",
        )
        fact = wanted(row, "input", "cached_input", "cache_write", "output")
        found = [
            numbers(a, "input", "cache_read", "cache_write_5m", "output") for a in answers if isinstance(a, RateCard)
        ]
        if fact not in found:
            wrong.append((row["model"], row["effective_from"], fact, found))
    assert wrong == []


def test_every_tier_rate_is_in_the_tables(catalog: Catalog, data: Path) -> None:
    names = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    wrong = []
    for row in rows(data, "price_rules.csv"):
        entry = listed(catalog, row)
        start = max(epoch(row["observed_from"]), entry.periods[0].start)
        above = int(row["prompt_tokens_gt"] or 100)
        card = the_card(
            catalog.cards(
                entry,
                at=Interval(start, start + 1),
                as_of=max(NOW, start + 1),
                prompt=Band(above, above + 1),
                output=EVERY_SIZE,
                tier=row["service_tier"],
            )
        )
        if numbers(card, *names) != wanted(row, *names):
            wrong.append((row["model"], row["service_tier"], row["prompt_tokens_gt"], card.rates))
    assert wrong == []


def test_every_listed_alias_leads_to_its_model(catalog: Catalog, data: Path) -> None:
    found = [catalog.find(row["provider"], row["alias"]) for row in rows(data, "model_aliases.csv")]
    assert [listed(catalog, row) for row in rows(data, "model_aliases.csv")] == found


def test_the_holiday_calendar_holds_every_day_off(data: Path, catalog: Catalog) -> None:
    (listing,) = catalog.tables["deepseek"].entries["deepseek-v4-pro"].listings
    days = {date.fromisoformat(r["date"]) for r in rows(data, "holidays_cn.csv") if r["kind"].startswith("public")}
    assert days == listing.calendars["cn-holidays"].days


@pytest.mark.parametrize(("model", "tokens"), YUAN)
def test_mainland_prices_stay_in_yuan(model: str, tokens: int, catalog: Catalog) -> None:
    entry = catalog.tables["zhipuai"].entries[model]
    at = second("2026-11-20T12:00:00Z")
    answers = catalog.cards(
        entry, at=at, as_of=NOW, prompt=Band(tokens - 1, tokens), output=EVERY_SIZE, tier="standard"
    )
    card = the_card(answers)
    assert ("CNY", *map(Decimal, YUAN[model, tokens])) == (
        card.currency,
        *numbers(card, "input", "cache_read", "output"),
    )


def editor_view(path: Path) -> Any:
    """The file as an editor's YAML 1.2 reader sees it: dates are texts."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        key: [(tag, pattern) for tag, pattern in found if not tag.endswith("timestamp")]
        for key, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    if path.parent.name == "imported":
        return json.loads("".join(line for line in path.read_text().splitlines() if not line.startswith("#")))
    return yaml.load(path.read_text(), Loader)


@pytest.mark.parametrize("path", table_paths(DIRECTORY), ids=lambda path: path.stem)
def test_a_table_fits_the_schema_that_its_first_line_names(path: Path) -> None:
    named = path.read_text().partition("\n")[0].partition("$schema=")[2]
    schema = json.loads((path.parent / named).read_text())
    jsonschema.Draft202012Validator(schema).validate(editor_view(path))


@pytest.mark.parametrize(("path", "text"), SCHEMA_FILES, ids=lambda item: getattr(item, "name", ""))
def test_a_schema_file_is_current(path: Path, text: str) -> None:
    assert text == path.read_text()


def test_the_bundled_tables_have_no_fault() -> None:
    problems = validate(table_paths(DIRECTORY), today=date(2026, 11, 22))
    assert [problem for problem in problems if problem.severity == "error"] == []


def test_a_bundled_table_alone_has_no_fault_beside_the_others() -> None:
    paths = table_paths(DIRECTORY)
    problems = [found for path in paths for found in validate([path], today=date(2026, 11, 22), beside=paths)]
    assert len(paths) > 10
    assert [problem for problem in problems if problem.severity == "error"] == []


def test_imported_prices_are_read_from_json_and_from_yaml_alike() -> None:
    path = DIRECTORY / "imported" / "azure.yaml"
    assert yaml.load(path.read_text(), yaml.CBaseLoader)["models"][0]["id"] == editor_view(path)["models"][0]["id"]


def test_the_licence_of_imported_prices_is_kept() -> None:
    texts = [path.read_text() for path in (DIRECTORY / "imported").glob("*.yaml")]
    assert all("Permission is hereby granted, free of charge" in text for text in texts)
    assert len(texts) == 10
