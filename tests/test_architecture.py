"""What the whole house promises: a cheap start, short files, data that travels with the code."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from llmmigrate.logs import native

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
HEAVY = [
    "duckdb",
    "httpx",
    "jsonlines",
    "msgspec",
    "numpy",
    "pandas",
    "pydantic",
    "rich.table",
    "xxhash",
    "yaml",
    "zstandard",
]


@pytest.mark.parametrize("line", [["--help"], ["--version"]])
def test_help_imports_nothing_heavy(line: list[str]) -> None:
    program = (
        "import sys; from llmmigrate.cli.app import main\n"
        f"try: main({line})\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program]).splitlines()[-1] == b"[]"


@pytest.mark.parametrize("command", ["analyze", "estimate", "ingest", "init"])
def test_parsing_a_command_line_does_not_import_pydantic(command: str) -> None:
    program = (
        "import sys; from llmmigrate.cli.app import main\n"
        f"try: main([{command!r}, '--help'])\n"
        "except SystemExit: pass\n"
        "print('pydantic' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program]).splitlines()[-1] == b"False"


def test_price_tables_and_samples_travel_in_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {"pricing": "llmmigrate/pricing", "samples": "llmmigrate/samples"}
    assert [name for name in included if not any((ROOT / name).iterdir())] == []


def test_a_wheel_finds_its_price_tables_samples_and_scanner(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = (
        "import sys; from pathlib import Path; import llmmigrate; from llmmigrate.prices import load_catalog\n"
        "print(Path(llmmigrate.__file__).parent, 'openai' in load_catalog().tables, 'yaml' in sys.modules)\n"
        "from llmmigrate.logs import native; print(native.load() is not None)"
    )
    run = [sys.executable, "-c", program]
    written = subprocess.check_output(run, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "site")})
    compiled = "False"  # YAML is read only where the tables were changed after the build
    scanner = native.load() is not None
    assert written.decode().split() == [str(tmp_path / "site" / "llmmigrate"), "True", compiled, str(scanner)]
    assert wheel.name.startswith("llmmigrate-") and ("-py3-none-any" in wheel.name) != scanner
    assert (tmp_path / "site" / "llmmigrate" / "samples" / "logs.jsonl").is_file()


def _normal(name: str) -> str:
    """A distribution's name as the indexes compare it."""
    return name.lower().replace("_", "-").replace(".", "-")


def test_every_dependency_is_pinned_for_the_checks() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    names = {_normal(item.split(">")[0].split("=")[0].split("<")[0].split("[")[0]) for item in wanted}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {_normal(line.split("==")[0]) for line in lines if not line.startswith("#")}
    assert names - pinned == set()
    assert [line for line in lines if "://" in line or "@" in line] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_file_fits_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
