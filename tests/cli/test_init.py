"""`llmmigrate init` and that what it writes is good."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from llmmigrate import config
from llmmigrate.cli.init import settings_text

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_it_writes_loads_again(llmmigrate: Run) -> None:
    assert llmmigrate("init", "--from", "openai/o3", "--to", "zai/glm-5").code == 0
    found = config.load(directory=Path.cwd()).config
    assert (found.from_, found.to) == (
        config.Side(provider="openai", model="o3"),
        config.Side(provider="zai", model="glm-5"),
    )


def test_every_commented_setting_is_a_good_one(tmp_path: Path) -> None:
    text = re.sub(r"^# ?(?=(\w+: ?\S|providers:|  \w+: \{))", "", settings_text(None, None), flags=re.MULTILINE)
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#") and ". " not in line)
    Path("llmmigrate.yaml").write_text(text)
    found = config.load(directory=tmp_path)
    expected = {"logs", "from", "to", "providers", "map", "aliases", "prices", "discounts", "shadow", "check", "report"}
    assert {key.split(".")[0] for key in found.origins} == expected | {"version"}


def test_its_first_line_names_the_schema_beside_it(llmmigrate: Run) -> None:
    llmmigrate("init")
    first = Path("llmmigrate.yaml").read_text().splitlines()[0]
    place = first.removeprefix("# yaml-language-server: $schema=")
    schema = json.loads(Path(place).read_text())
    jsonschema.validate(yaml.safe_load(Path("llmmigrate.yaml").read_text()), schema)


def test_it_does_not_overwrite(llmmigrate: Run) -> None:
    Path("llmmigrate.yaml").write_text("version: 1\n")
    code, _, err = llmmigrate("init")
    assert (code, err.splitlines()[0]) == (2, "error: llmmigrate.yaml already exists")
    assert Path("llmmigrate.yaml").read_text() == "version: 1\n"


def test_force_overwrites(llmmigrate: Run) -> None:
    Path("llmmigrate.yaml").write_text("version: 1\n")
    assert llmmigrate("init", "--force").code == 0
    assert "logs: " in Path("llmmigrate.yaml").read_text()


@pytest.mark.parametrize("name", ["o3", "openai/", "/o3"])
def test_a_name_needs_provider_and_model(llmmigrate: Run, name: str) -> None:
    assert llmmigrate("init", "--from", name).code == 2
    assert not Path("llmmigrate.yaml").exists()


def test_a_strange_model_name_stays_a_name(llmmigrate: Run) -> None:
    llmmigrate("init", "--to", "local/a: {b}\n# c")
    assert config.load(directory=Path.cwd()).config.to == config.Side(provider="local", model="a: {b}\n# c")
