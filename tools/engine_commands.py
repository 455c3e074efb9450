"""The command line of every engine for plans that stand for all others.

python -m tools.engine_commands      writes tests/serving/commands.txt anew; its difference is the review
"""

import shlex
from collections.abc import Iterator
from typing import Final

from tools.screens import ROOT

from llmmigrate.serving.catalogue import find_model
from llmmigrate.serving.engines import Launch
from llmmigrate.serving.fit import Wish, choices
from llmmigrate.serving.planning import Place, launch_for, steps
from llmmigrate.serving.pool import named_pool

FILE: Final = ROOT / "tests" / "serving" / "commands.txt"
PLANS: Final = (
    ("glm-5", "8xH200", Wish(engine="vllm")),
    ("glm-5", "8xH200", Wish(engine="vllm", draft=False)),
    ("glm-5", "8xH200", Wish(engine="sglang")),
    ("glm-5", "8xH200", Wish(engine="sglang", draft=False)),
    ("glm-5", "16xH100", Wish(engine="vllm")),
    ("glm-5", "16xH100", Wish(engine="sglang")),
    ("glm-5", "4xB200", Wish(precision="nvfp4", engine="vllm")),
    ("glm-5", "8xascend-a2", Wish(context=32_768)),
    ("glm-5", "16xascend-a3", Wish(precision="w8a8", context=40_960, draft=False)),
    ("glm-5.2", "8xmi300x", Wish(engine="vllm")),
    ("glm-5.2", "8xA100", Wish(engine="llama_cpp")),
    ("glm-5.3", "8xH20", Wish(precision="w4a8")),
    ("glm-5.3-flash", "8xH100", Wish()),
    ("glm-5.3-flash", "4xmi355x", Wish()),
    ("glm-4.7-flash", "1xH100", Wish(context=65_536)),
    ("glm-4.7-flash", "8xH100", Wish(context=65_536)),
    ("glm-4.7-flash", "m3-ultra", Wish()),
    ("glm-4.5-air", "4xH100", Wish(engine="sglang")),
    ("glm-4-9b", "1xL40S", Wish(engine="transformers")),
)


def text() -> str:
    """All plans, each as a comment and the lines to type."""
    return "\n".join("\n".join(_shown(*wanted)) for wanted in PLANS)


def _shown(name: str, on: str, wish: Wish) -> Iterator[str]:
    key, model = find_model(name)
    choice = choices(key, model, named_pool(on), wish)[0]
    launch = launch_for(choice, model, Place(host="127.0.0.1", port=8000))
    yield f"# {name} {choice.checkpoint.precision} on {on}, {choice.engine}{'' if wish.draft else ', no drafts'}"
    yield from steps(choice, launch) if choice.pool.nodes > 1 else [line(launch)]
    yield ""


def line(launch: Launch) -> str:
    """A launch as one line for a shell."""
    environment = [f"{name}={shlex.quote(value)}" for name, value in sorted(launch.environment.items())]
    return " ".join([*environment, shlex.join(launch.arguments)])


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
