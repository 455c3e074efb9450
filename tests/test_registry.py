"""Finding things by name."""

import subprocess
import sys
from pathlib import Path

import pytest

from llmmigrate import registry
from llmmigrate.errors import UnknownNameError


def test_names_are_the_modules_of_the_room() -> None:
    assert registry.names("reports.formats") == ["csv", "github", "html", "json", "junit", "markdown", "table"]


def test_load_gives_the_module() -> None:
    assert registry.load("reports.formats", "json").__name__ == "llmmigrate.reports.formats.json"


def test_an_unknown_name_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as error:
        registry.load("reports.formats", "jsno")
    assert (error.value.what, error.value.fix) == ("unknown report format 'jsno'", "did you mean 'json'?")


def test_a_room_that_does_not_exist_is_a_defect() -> None:
    with pytest.raises(ValueError, match="no room 'attic'"):
        registry.names("attic")


def test_listing_imports_no_plugin() -> None:
    program = (
        "import sys; from llmmigrate import registry;"
        "registry.names('reports.formats'); registry.names('logs.formats');"
        "print([name for name in sys.modules if '.formats.' in name])"
    )
    assert subprocess.check_output([sys.executable, "-c", program]) == b"[]\n"


def test_another_package_can_add_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[llmmigrate.reports.formats]\nparquet = other_parquet\njson = other_parquet\n"
    )
    (tmp_path / "other_parquet.py").write_text("NAME = 'parquet'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._installed.cache_clear()
    try:
        assert "parquet" in registry.names("reports.formats")
        assert registry.load("reports.formats", "parquet").NAME == "parquet"
        assert registry.load("reports.formats", "json").__name__ == "llmmigrate.reports.formats.json"
    finally:
        registry._installed.cache_clear()
