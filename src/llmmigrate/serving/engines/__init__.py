"""What serves a model: one module an engine, found by its name. Each turns a plan into a command line.

Names of engines are module names (`llama_cpp`); people write them as the projects do (`llama.cpp`, `vllm-ascend`).
"""

import re
import shutil
import sys
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal, Protocol

from llmmigrate import registry
from llmmigrate.errors import ServingError, unknown_name
from llmmigrate.serving.asking import ask
from llmmigrate.serving.catalogue import Recipe

ROOM: Final = "serving.engines"

Split = Literal["tensor", "layers"]
"""How an engine spreads a model over devices: every layer over all of them, or some layers to each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an engine is asked to serve."""

    checkpoint: str
    """A repository, or the absolute path of a folder or GGUF file."""
    weights_bytes: int
    precision: str
    served_name: str
    file: str | None
    """Part of the name of the checkpoint's file, for repositories that hold several."""
    platform: str
    tensor: int
    data: int
    expert_parallel: bool
    context: int
    utilisation: float
    kv_precision: str
    draft_tokens: int
    """0: no multi-token prediction."""
    recipe: Recipe | None
    host: str
    port: int
    sequences: int | None = None
    """Most sequences at one time; None leaves it to the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A command line. `environment` adds to what the process inherits; a key is never part of either."""

    arguments: tuple[str, ...]
    served_model: str
    """What a request calls the model."""
    environment: dict[str, str] = field(default_factory=dict)
    directory: str | None = None
    """Where it has to be started; None for anywhere."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stage of the start, known by what the engine prints. The pattern's first group, if any, is a percentage."""

    name: str
    pattern: re.Pattern[str]


UVICORN_STARTS: Final = Phase(
    "starting the server", re.compile(r"Started server process|Waiting for application startup")
)
"""The last stage of engines that are served by uvicorn."""


class Engine(Protocol):
    """What a module of this room offers."""

    TITLE: str
    EXECUTABLE: str
    DISTRIBUTION: str | None
    """The Python package that brings it and tells its version; None for one that is no Python package."""
    VERSION: re.Pattern[str] | None
    """Where such a program prints its `version` with `--version`, or the number of its `build` in place of one."""
    INSTALL: str
    """What to type to install it."""
    IMAGES: dict[str, str]
    """The container image by platform, with `{version}` where that of the recipe belongs."""
    SPLIT: Split
    UTILISATION: float
    """Share of a device's memory that it takes."""
    BATCH_TOKENS: int
    """Tokens of a prefill batch."""
    MICRO_BATCH: int
    """Tokens that are computed together with masks and scores over the whole context; 0 where none are kept."""
    SEQUENCES: int | None
    """Most requests at one time, for each of which it sets cache for the whole context aside; None: they share it."""
    DRAFTS: bool
    """Whether it can use a model's own multi-token prediction."""
    KEY_VARIABLE: str | None
    """Environment variable from which it takes an API key; None where it takes none in this way."""
    PHASES: tuple[Phase, ...]

    def launch(self, order: Order) -> Launch:
        """The command line for a plan."""
        ...


def load_engine(name: str) -> Engine:
    """The engine of this name. UnknownNameError for another one."""
    module = re.sub(r"[.-]", "_", name.casefold())
    if not registry.has(ROOM, module):
        raise unknown_name("engine", name, (load_engine(known).TITLE for known in registry.names(ROOM)))
    engine: Engine = registry.load(ROOM, module)
    return engine


def engine_name(text: str) -> str:
    """The module name of an engine as people write it. UnknownNameError for one that does not exist."""
    load_engine(text)
    return re.sub(r"[.-]", "_", text.casefold())


def installed_version(engine: Engine) -> str | None:
    """The version that is installed, `unknown` where only the program is found, None where nothing is."""
    path = find_executable(engine)
    if path is None:
        return None
    try:
        return version(engine.DISTRIBUTION) if engine.DISTRIBUTION is not None else _told_version(path, engine.VERSION)
    except PackageNotFoundError:
        return "unknown"


@cache
def _told_version(path: str, pattern: re.Pattern[str] | None) -> str:
    """What a program says of its version: `0.5.0`, `b6730` for the build of one without a version, `unknown`."""
    answer = ask(path, "--version")
    match = pattern.search(f"{answer.text or ''}\n{answer.aside}") if pattern is not None else None
    if match is None:
        return "unknown"
    return match["version"] or f"b{match['build']}"


def find_executable(engine: Engine) -> str | None:
    """The path of an engine's program: beside this Python, else on the PATH."""
    beside = Path(sys.executable).parent / engine.EXECUTABLE
    return str(beside) if beside.is_file() else shutil.which(engine.EXECUTABLE)


def check_installed(engine: Engine, recipe: Recipe | None, *, force: bool = False) -> str:
    """The path of an engine's program. ServingError where it is not there or, unless `force`, older than needed."""
    path, found = find_executable(engine), installed_version(engine)
    if path is None or found is None:
        raise ServingError(f"{engine.TITLE} is not installed here", fix=engine.INSTALL, code="engine_missing")
    wanted = recipe.version if recipe is not None else None
    if force or wanted is None or recipe is None or found == "unknown":
        return path
    if _parts(found) < _parts(wanted):
        raise ServingError(
            f"{engine.TITLE} {found} is too old for this model",
            why=f"it needs {wanted} or newer ({recipe.source})",
            fix=f"{engine.INSTALL}; or try this one with --force",
            code="engine_version",
        )
    return path


def _parts(text: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparing: `0.19.0rc1+cu130` is (0, 19, 0), a mere build less than any."""
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
