"""What is known about models and about hardware, from `models.yaml` and `hardware.yaml` beside this file."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from llmmigrate import quantities
from llmmigrate.annotations import Written
from llmmigrate.errors import UnknownNameError, unknown_name
from llmmigrate.typed_yaml import Source, compose, convert

ANY: Final = "any"
"""Stands for every architecture."""

Size = Annotated[int, Written(quantities.size, "744B", ("string", "integer"))]
KvPrecision = Literal["bf16", "fp8", "f16"]
"""How a cache is kept; `f16` is that of llama.cpp, which keeps the indexer's part in two bytes a value, too."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A model's dimensions. Parameters include the draft layer where there is one."""

    parameters: Size
    active: Size
    layers: int
    hidden: int
    heads: int
    context: int
    routed: Size = 0
    """Parameters in routed experts."""
    experts: int = 0
    experts_per_token: int = 0


@dataclass(frozen=True, kw_only=True)
class Cache:
    """What a token leaves in the key-value cache: a latent vector (MLA) or keys and values of `heads` (GQA)."""

    layers: int
    draft_layers: int = 0
    latent: int = 0
    rope: int = 0
    indexer: int = 0
    """Values of the key that the indexer of sparse attention keeps a layer."""
    indexer_vectors: int = 1
    """Vectors of that size that llama.cpp keeps: with pooled keys also a gate and the pool."""
    indexer_layers: int | None = None
    """Layers with an indexer by the model's definition; None for all."""
    indexer_layers_allocated: int | None = None
    """Layers that engines set an indexer cache aside for, where that is known to be another number."""
    sparse_top: int | None = None
    """Tokens that sparse attention reads a step; None reads all."""
    heads: int = 0
    head_size: int = 0


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Weights in one precision, and what runs them where."""

    repo: str
    """Where it is downloaded from; of a checkpoint of one's own, the absolute path of its folder or GGUF file."""
    precision: str
    size: Size
    """Bytes."""
    basis: str
    """Whether the size is published, derived or assumed."""
    kv: dict[str, KvPrecision]
    """Precision of the cache by architecture."""
    runs_on: dict[str, tuple[str, ...]]
    """Engines by architecture, the one to prefer first."""
    source: str
    expert_parallel: bool = False
    file: str | None = None
    """Part of a file's name, where a repository holds several checkpoints."""
    rough: bool = False
    """Whether so few bits are left (below 3 a weight) that answers suffer: never taken unless it is asked for."""

    @property
    def folder(self) -> str | None:
        """The folder that it lies in; None for one that is downloaded."""
        path = Path(self.repo)
        if not path.is_absolute():
            return None
        return str(path.parent if path.suffix == ".gguf" else path)

    def engines_on(self, architecture: str) -> tuple[str, ...]:
        """The engines that have a published way to run it there."""
        return (*self.runs_on.get(architecture, ()), *self.runs_on.get(ANY, ()))

    def kv_on(self, architecture: str) -> KvPrecision:
        """The precision of the cache there."""
        return self.kv.get(architecture) or self.kv[ANY]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What an engine needs for a model, beside what it needs for every model."""

    engine: str
    source: str
    version: str | None = None
    """The least that is known to serve it; None where nobody says so."""
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    architectures: tuple[str, ...] = ()
    """Empty: all."""
    precisions: tuple[str, ...] = ()
    """Empty: all."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Hardware that a model does not run on with these engines, and why."""

    architectures: tuple[str, ...]
    engines: tuple[str, ...]
    why: str
    links: tuple[str, ...]
    way: str
    """What can be done instead."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something that went wrong for others, shown with plans that it may concern. Empty lists mean all."""

    text: str
    source: str
    engines: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    about: Literal["draft"] | None = None
    """`draft`: only where multi-token prediction is used."""

    def concerns(self, engine: str, architecture: str, precision: str, *, draft: bool) -> bool:
        """Whether a plan of this kind should show it."""
        return (
            (not self.engines or engine in self.engines)
            and (not self.architectures or architecture in self.architectures)
            and (not self.precisions or precision in self.precisions)
            and (self.about is None or draft)
        )


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model and everything that planning needs to know about it."""

    title: str
    released: str
    type: str
    shape: Shape
    kv: Cache
    source: str
    checkpoints: tuple[Checkpoint, ...]
    recipes: tuple[Recipe, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[Note, ...] = ()
    api: str | None = None
    """Who sells the same model by the token, as provider/model."""
    draft_tokens: int = 0
    """Tokens that multi-token prediction drafts a step."""

    def recipe(self, engine: str, architecture: str, precision: str) -> Recipe | None:
        """The recipes that concern this engine, architecture and precision, as one; None without any."""
        found = [
            recipe
            for recipe in self.recipes
            if recipe.engine == engine
            and (not recipe.architectures or architecture in recipe.architectures)
            and (not recipe.precisions or precision in recipe.precisions)
        ]
        if not found:
            return None
        environment = {name: value for recipe in found for name, value in recipe.environment.items()}
        return Recipe(
            engine=engine,
            version=found[-1].version,
            source=found[-1].source,
            arguments=tuple(word for recipe in found for word in recipe.arguments),
            environment=environment,
        )

    def refusal(self, engine: str, architecture: str) -> Refusal | None:
        """Why this engine does not run it there, where that is known."""
        return next(
            (item for item in self.refusals if architecture in item.architectures and engine in item.engines), None
        )


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """One kind of accelerator."""

    title: str
    platform: str
    architecture: str
    memory_mib: int
    basis: Literal["reported", "published", "assumed"]
    """Where the memory is from: the vendor's tool, a published capacity, or a guess."""
    per_node: int
    names: tuple[str, ...]
    """Patterns of the names by which vendor tools call it."""
    source: str
    """Of the memory."""
    bandwidth_gb_s: int | None = None
    tflops_bf16: int | None = None
    tflops_fp8: int | None = None
    tflops_fp4: int | None = None
    speed_source: str | None = None
    """Of bandwidth and speeds, which are dense."""

    def tflops(self, precision: str) -> int | None:
        """The speed for weights of this precision: FP4 has its own, others below 16 bits have that of FP8 if known."""
        if precision in ("nvfp4", "mxfp4"):
            return self.tflops_fp4
        return self.tflops_bf16 if precision == "bf16" else self.tflops_fp8 or self.tflops_bf16

    def is_called(self, name: str) -> bool:
        """Whether a vendor's tool means this by `name`."""
        return any(re.search(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", name) for pattern in self.names)


@dataclass(frozen=True, kw_only=True)
class _Models:
    """The file of models."""

    checked: str
    models: dict[str, Model]


@dataclass(frozen=True, kw_only=True)
class _HardwareFile:
    """The file of hardware."""

    checked: str
    hardware: dict[str, Hardware]


def models() -> dict[str, Model]:
    """All known models by name, the flagship first."""
    read: _Models = _read("models.yaml", _Models)
    return read.models


def hardware() -> dict[str, Hardware]:
    """All known hardware by name."""
    read: _HardwareFile = _read("hardware.yaml", _HardwareFile)
    return read.hardware


def find_model(name: str) -> tuple[str, Model]:
    """A model by its name or by the name of one of its checkpoints. UnknownNameError with the nearest name."""
    known = models()
    wanted = name.casefold()
    for key, model in known.items():
        if wanted in (key, model.title.casefold(), *(item.repo.casefold() for item in model.checkpoints)):
            return key, model
    error = unknown_name("model", name, known)
    raise UnknownNameError(
        error.what, fix=f"{error.fix} For another model, name the folder of its checkpoint, such as ./{Path(name).name}"
    )


def find_hardware(name: str) -> tuple[str, Hardware]:
    """A kind of accelerator by its name. UnknownNameError with the nearest name."""
    known = hardware()
    wanted = name.casefold()
    if wanted in known:
        return wanted, known[wanted]
    raise unknown_name("accelerator", name, known)


def hardware_called(name: str | None, platform: str) -> tuple[str, Hardware] | None:
    """The kind of accelerator that a vendor's tool calls so, None for one that is not known."""
    entries = ((key, item) for key, item in hardware().items() if item.platform == platform)
    return next(((key, item) for key, item in entries if name and item.is_called(name)), None)


@cache
def _read(name: str, record: Any) -> Any:
    path = Path(__file__).with_name(name)
    source = Source(path.read_text(encoding="utf-8"), name)
    node = compose(source)
    return convert(node, record, source) if node is not None else None
