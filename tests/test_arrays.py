"""How numpy is loaded: commands start no threads for it, and nobody else is told so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
VARIABLE = "OPENBLAS_NUM_THREADS"


def told(program: str, **environment: str) -> list[str]:
    """What a new Python prints."""
    clean = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.check_output([sys.executable, "-c", program], env=clean | environment, text=True).split()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted where Linux lists them")
def test_a_command_loads_numpy_without_a_pool_of_threads() -> None:
    program = "import os, llmmigrate.cli; import llmmigrate.arrays; print(len(os.listdir('/proc/self/task')))"
    assert told(program) == ["1"]


@pytest.mark.parametrize("package", ["llmmigrate", "llmmigrate.cli"])
def test_programs_started_later_see_nothing_of_it(package: str) -> None:
    program = f"import os, {package}; import llmmigrate.arrays; print(os.environ.get({VARIABLE!r}))"
    assert told(program) == ["None"]


def test_what_the_user_has_set_stays() -> None:
    program = f"import os, llmmigrate.cli; import llmmigrate.arrays; print(os.environ[{VARIABLE!r}])"
    assert told(program, **{VARIABLE: "2"}) == ["2"]


def test_numpy_is_loaded_in_one_place() -> None:
    words = ("import numpy", "from numpy")
    loading = [
        path.name
        for path in (ROOT / "src").rglob("*.py")
        if any(line.strip().startswith(words) for line in path.read_text().splitlines())
    ]
    assert loading == ["arrays.py"]
