"""The result records of this room: the JSON contracts `llmmigrate.accelerators/1` and `llmmigrate.plan/1`.

Memory is in bytes, money a decimal text with its currency beside it; what is not known is null and never 0.
"""

from typing import Annotated, Literal

import msgspec

from llmmigrate.serving.accelerators import Device

Money = Annotated[str, msgspec.Meta(pattern=r"^-?\d+(\.\d+)?$", description="an exact decimal amount")]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all result records."""


class AcceleratorList(Record, frozen=True, kw_only=True):
    """Every device that was found, the host itself included."""

    schema: str
    command: str
    version: str
    devices: list[Device]
    problems: list[str]


class PlanModel(Record, frozen=True, kw_only=True):
    """What is to be served."""

    name: str
    title: str
    type: str
    parameters: int
    active_parameters: int
    context: int
    source: str


class PlanHardware(Record, frozen=True, kw_only=True):
    """What it is to be served on. `found`: in this machine; else hardware that was only named."""

    name: str | None
    title: str
    platform: str
    architecture: str | None
    count: int
    nodes: int
    memory_bytes: int | None
    free_bytes: int | None
    found: bool


class PlanChoice(Record, frozen=True, kw_only=True):
    """One checkpoint on one engine. Bytes are of one device; `kv_tokens` of one replica."""

    checkpoint: str
    precision: str
    engine: str
    tensor_parallel: int
    data_parallel: int
    expert_parallel: bool
    checkpoint_bytes: int
    checkpoint_bytes_basis: str
    weights_bytes: int
    kv_bytes_per_token: int
    usable_bytes: int | None
    kv_tokens: int | None
    context: int
    sequences_at_full_context: int | None
    draft_tokens: int
    verdict: Literal["fits", "weights", "context", "refused", "no_recipe", "unknown_memory"]
    why: str | None
    links: list[str]
    missing_bytes: int | None


class Elsewhere(Record, frozen=True, kw_only=True):
    """Another model for this hardware, or other hardware for this model, that would fit."""

    model: str
    hardware: str
    precision: str
    engine: str
    context: int


class PlanLaunch(Record, frozen=True, kw_only=True):
    """How it is started. `steps`: what to type on each machine where it takes several; llmmigrate launches one."""

    engine: str
    engine_version: str | None
    arguments: list[str]
    environment: dict[str, str]
    served_model: str
    base_url: str
    needs_key: bool
    steps: list[str]


class PlanNote(Record, frozen=True, kw_only=True):
    """Something to know before relying on it, and who says so."""

    text: str
    source: str | None


class Plan(Record, frozen=True, kw_only=True):
    """What fits, how it would be launched, and what it would cost."""

    schema: str
    command: str
    version: str
    model: PlanModel
    hardware: PlanHardware
    fits: bool
    chosen: PlanChoice | None
    choices: list[PlanChoice]
    siblings: list[Elsewhere]
    machines: list[Elsewhere]
    launch: PlanLaunch | None
    notes: list[PlanNote]
    problems: list[str]
