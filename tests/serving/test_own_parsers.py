"""That vLLM and SGLang take every command line under review, as far as their own parsers can tell without a card."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from tools.engine_commands import FILE

READER = Path(__file__).with_name("own_parser.py")


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_the_engine_understands_every_command_line(engine: str) -> None:
    program = shutil.which(engine)
    if program is None:
        pytest.skip(f"{engine} is not on the PATH")
    lines = [words for text in FILE.read_text().splitlines() if (words := after_serve(text, engine))]
    assert len(lines) >= 5
    python = Path(program).read_text().splitlines()[0].removeprefix("#!")
    done = subprocess.run(
        [python, str(READER), engine], input=json.dumps(lines), capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == [f"understood {len(lines)}"], done.stderr[-2000:]


def after_serve(text: str, engine: str) -> list[str]:
    """What follows `ENGINE serve` in a line of shell; nothing where it is another one."""
    words = shlex.split(text, comments=True)
    start = next((place for place in range(len(words) - 1) if words[place : place + 2] == [engine, "serve"]), None)
    return words[start + 2 :] if start is not None else []
