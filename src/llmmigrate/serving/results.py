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
    split: Literal["tensor", "layers"]
    """Whether every layer lies on all devices of a replica, or each device has some layers."""
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
    download_bytes: int | None
    """Still to be downloaded; null for hardware that is only named."""
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


class PlanRate(Record, frozen=True, kw_only=True):
    """Tokens a second of all devices together, and what that makes of a million tokens.

    `floor` is what the data sheet allows and no machine reaches; `published` is what others measured, `measured` what
    was measured here. `cost_per_million_output` lays the machine's whole cost on the output, `cost_per_million_tokens`
    on all tokens alike; the two `_alone` figures are known only where input and output were measured apart.
    """

    basis: Literal["floor", "published", "measured"]
    label: str
    source: str
    concurrency: int | None
    input_tokens: int | None
    output_tokens: int | None
    output_per_second: Money | None
    tokens_per_second: Money | None
    cost_per_million_output: Money | None
    cost_per_million_tokens: Money | None
    cost_per_million_input_alone: Money | None
    cost_per_million_output_alone: Money | None


class PlanCost(Record, frozen=True, kw_only=True):
    """What the machine costs. Without a price of a GPU hour, money is null and the rates are still told."""

    currency: str
    gpu_hour: Money | None
    gpu_hour_source: str | None
    devices: int
    hour: Money | None
    month: Money | None
    rates: list[PlanRate]


class PlanTraffic(Record, frozen=True, kw_only=True):
    """What a log's traffic asks of such machines. Bounds are low and high; shares are parts of 1.

    `machines` carries the work of the fullest of 100 quarters of an hour (`machines_by_rate`) and holds its requests in
    the cache (`machines_by_cache`); null where neither is known. `month` figures are null for logs of less than a day.
    """

    calls: int
    input_tokens: int
    output_tokens: int
    days: float
    tools: bool | None
    peak_concurrency: float | None
    rate: str | None
    machines: int | None
    machines_by_rate: int | None
    machines_by_cache: int | None
    use_low: float | None
    use_high: float | None
    month_cost: Money | None
    api: str | None
    api_month_cost: Money | None
    today_month_cost: Money | None
    today_priced_calls: int
    break_even_use_low: float | None
    break_even_use_high: float | None


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
    cost: PlanCost | None
    traffic: PlanTraffic | None
    notes: list[PlanNote]
    problems: list[str]


class PlaybookDevice(Record, frozen=True, kw_only=True):
    """One row of the playbook's table as published, and what the planner says to it."""

    device: str
    max_batch: int
    tensor_parallel: int
    precision: str
    kv_precision: str
    flash_attention: bool
    batch_delay_ms: int | None
    other: str | None
    verdicts: list[str]


class Playbook(Record, frozen=True, kw_only=True):
    """A published table of settings, not a plan."""

    schema: str
    command: str
    version: str
    model: str
    devices: list[PlaybookDevice]
    generation: dict[str, str]
