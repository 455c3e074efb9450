"""The file of variables as a shell takes it: what a child of the shell finds in its environment."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from llmmigrate.rollout.gateways import env
from llmmigrate.rollout.plan import Plan

NAMES = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "LLM_MODEL")
KEYS = {"OPENAI_API_KEY": "sk-openai", "ZAI_API_KEY": "sk-zai"}


@pytest.mark.parametrize(
    ("share", "wanted"),
    [
        ("1", ["https://api.z.ai/api/paas/v4", "sk-zai", "glm-5"]),
        ("0", ["https://api.openai.com/v1", "sk-openai", "o3"]),
    ],
)
def test_a_child_of_the_shell_that_sourced_it_finds_the_variables(
    share: str, wanted: list[str], plan: Plan, tmp_path: Path
) -> None:
    (tmp_path / "llm.env").write_text(env.files(plan, Decimal(share))["llm.env"])
    program = f"import json, os; print(json.dumps([os.environ.get(name) for name in {NAMES}]))"
    (tmp_path / "child.py").write_text(program)
    line = f"(. ./llm.env; exec {sys.executable} child.py)"
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=KEYS, capture_output=True, check=True)
    assert json.loads(done.stdout) == wanted
