"""The bundled tables as JSON: the same as the YAML that they were made from, and taken for nothing else."""

from pathlib import Path

import pytest

from llmmigrate.prices import bundled_directory, compiled, table_paths
from llmmigrate.prices.files import read_price_file

OWN = table_paths(bundled_directory(), imported=False)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    compiled.write(tmp_path, OWN)
    return tmp_path


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_a_compiled_table_is_its_yaml(directory: Path, path: Path) -> None:
    found = compiled.read(directory)[path.name]
    assert read_price_file(path, compiled=found) == read_price_file(path)


def test_what_was_changed_since_counts(directory: Path, tmp_path: Path) -> None:
    (source,) = (path for path in OWN if path.stem == "moonshotai")
    found = compiled.read(directory)[source.name]
    changed = tmp_path / source.name
    changed.write_text(source.read_text().replace("name: Moonshot AI", "name: Changed"))
    assert read_price_file(changed, compiled=found) == read_price_file(changed)
    assert read_price_file(changed, compiled=found) != read_price_file(source)


@pytest.mark.parametrize("text", [None, b"", b"{", b'{"openai.yaml": 1}'])
def test_without_it_the_yaml_is_read(tmp_path: Path, text: bytes | None) -> None:
    if text is not None:
        (tmp_path / compiled.FILE_NAME).write_bytes(text)
    assert compiled.read(tmp_path) == {}
