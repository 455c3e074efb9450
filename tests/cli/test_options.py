"""The options that commands share."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmmigrate.cli.options import LogOptions, comma_list, instant, pairs, settings, zone
from llmmigrate.errors import UsageError


def test_pairs_keep_further_equal_signs() -> None:
    assert pairs(["route=/a?b=c", "team=x"], "--where") == {"route": "/a?b=c", "team": "x"}


@pytest.mark.parametrize("values", [["x"], ["=x"], ["a=1", "a=2"]])
def test_pairs_refuse_what_is_none(values: list[str]) -> None:
    with pytest.raises(UsageError):
        pairs(values, "--where")


def test_a_date_is_midnight_in_the_given_zone() -> None:
    assert instant("2026-07-01", "--since", zone("Europe/Berlin")) == datetime(2026, 6, 30, 22, tzinfo=UTC)


def test_an_instant_keeps_its_own_zone() -> None:
    found = instant("2026-07-01T12:00:00+05:30", "--since", zone("Europe/Berlin"))
    assert (found, found and found.utcoffset()) == (datetime(2026, 7, 1, 6, 30, tzinfo=UTC), timedelta(0))


def test_no_instant_is_none() -> None:
    assert instant(None, "--since", UTC) is None


def test_a_bad_instant_says_what_to_write() -> None:
    with pytest.raises(UsageError) as error:
        instant("yesterday", "--since", UTC)
    assert error.value.fix == "write --since 2026-10-01 or --since 2026-10-01T12:00Z"


def test_a_zone_is_found_in_any_case_and_suggested_by_likeness() -> None:
    assert str(zone("europe/berlin")) == "Europe/Berlin"
    with pytest.raises(UsageError) as error:
        zone("Europe/Berln")
    assert error.value.fix == "did you mean 'Europe/Berlin'?"


def test_flags_win_and_aliases_add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "llmmigrate.yaml").write_text("logs: [a]\naliases: {x: openai/o3, y: openai/o3}\n")
    monkeypatch.chdir(tmp_path)
    found = settings(LogOptions(logs=["b"], alias=["y=zai/glm-5"]))
    assert found.config.logs == ("b",)
    assert found.config.aliases == {"x": "openai/o3", "y": "zai/glm-5"}
    assert found.origins == {"logs": "LOGS", "aliases": "--alias"}


def test_show_config_prints_values_with_their_origin(
    llmmigrate: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llmmigrate.yaml").write_text("shadow: {canary: 10%}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMMIGRATE_SHADOW_SEED", "9")
    code, out, _ = llmmigrate("analyze", "--show-config")
    rows = [line.split() for line in out.splitlines()]
    assert code == 0
    assert ["shadow.canary", "0.1", "llmmigrate.yaml:1"] in rows
    assert ["shadow.seed", "9", "LLMMIGRATE_SHADOW_SEED"] in rows
    assert ["version", "1", "default"] in rows


def test_names_with_commas() -> None:
    assert comma_list("model, tag.team,,day") == ["model", "tag.team", "day"]
