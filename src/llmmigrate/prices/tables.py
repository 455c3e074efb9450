"""The schema of a price table, as it stands in a file.

A table is written once and then only appended to: a new price is a new period, a closed period is never edited.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from llmmigrate.units import COUNT_CLASSES, SERVICE_TIERS, TOKEN_CLASSES, CountClass, Dialect, ServiceTier, TokenClass


def _keys(names: tuple[str, ...]) -> dict[str, object]:
    """What an editor has to know of a mapping's keys; the decoder takes it from the type."""
    return {"propertyNames": {"enum": list(names)}}


Rates = Annotated[
    dict[TokenClass, Decimal],
    Meta(
        description='Currency per 1M tokens, as quoted decimals; "0" is free.', extra_json_schema=_keys(TOKEN_CLASSES)
    ),
]
Factors = Annotated[
    dict[TokenClass, Decimal],
    Meta(description="Factors on the rates beside it.", extra_json_schema=_keys(TOKEN_CLASSES)),
]
Fees = Annotated[
    dict[CountClass, Decimal],
    Meta(description="Currency per piece.", extra_json_schema=_keys(COUNT_CLASSES)),
]
Instant = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$",
        description="A day (midnight UTC) or an instant with its zone.",
    ),
]
Source = Annotated[
    str,
    Meta(
        pattern=r"^[ABC]\b",
        description="Grade, then where it was read. A vendor, B two tables or a dated history, C one table or memory.",
    ),
]
Hours = Annotated[str, Meta(pattern=r"^\d\d:\d\d-\d\d:\d\d$", description="Local time, half-open; may cross midnight.")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
CapabilityTier = Literal["frontier", "mid", "small"]
Ability = Literal[
    "tools",
    "forced_tools",  # a tool that has to be called
    "parallel_tools",
    "strict_tools",  # arguments held to their schema
    "hosted_tools",  # searches and other tools that the vendor runs
    "json_object",
    "json_schema",  # answers held to a schema
    "vision",
    "audio",
    "pdf",
    "reasoning",
    "prefill",  # going on with a given beginning of an answer
    "n",
    "logprobs",
    "logit_bias",
    "stop",
    "stream_usage",
    "temperature",
    "top_p",
    "top_k",
    "penalties",
    "seed",
    "verbosity",
]
"""What a request can ask for and a model can give or not."""
Sampling = Literal["temperature", "top_p", "top_k", "penalties", "seed"]
Thinking = Literal["effort", "switch", "budget", "adaptive"]
"""How reasoning is asked for: by a word, by on and off, by a budget of tokens, or by Anthropic's adaptive thinking."""
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Tokens = Annotated[int, Meta(ge=0)]


class Spec(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all parts of a table: unknown keys are refused."""


class ClockSpec(Spec, frozen=True):
    """A recurring stretch of local time; all given conditions have to hold."""

    tz: str
    hours: list[Hours] = []
    weekdays: list[Weekday] = []
    not_on: str | None = None
    """Name of a calendar whose days are left out."""


class ConditionSpec(Spec, frozen=True):
    """When a row holds; all given conditions have to hold."""

    clock: ClockSpec | None = None
    prompt_above: Tokens | None = None
    """More than this many prompt tokens, cached ones included."""
    output_above: Tokens | None = None


class TierSpec(Spec, frozen=True):
    """A service tier's rates: multiples of the row's rates, explicit rates, or both (explicit wins)."""

    times: Factors = {}
    per_mtok: Rates = {}
    source: Source | None = None
    """Only where it differs from the period's source."""


Tiers = Annotated[
    dict[ServiceTier, TierSpec],
    Meta(description="Service tiers; one that is absent has no known rate.", extra_json_schema=_keys(SERVICE_TIERS)),
]


class OrSpec(Spec, frozen=True):
    """Other rates that may hold just as well: the source leaves open which. Replaces the classes that it names."""

    because: str
    """A stable assumption code."""
    per_mtok: Rates


class RowSpec(Spec, frozen=True):
    """Rates under a condition; replaces all rates of the period, tiers included."""

    when: ConditionSpec
    per_mtok: Rates
    tiers: Tiers = {}


class PeriodSpec(Spec, frozen=True, kw_only=True):
    """Rates from an instant until the next period, or until `to`."""

    from_: Instant = field(name="from")
    to: Instant | None = None
    """Only where nothing follows at once: a gap is unpriced."""
    gap_after: str | None = None
    """Why there is no price between `to` and the next period."""
    per_mtok: Rates
    per_piece: Fees = {}
    tiers: Tiers = {}
    or_: OrSpec | None = field(name="or", default=None)
    rows: list[RowSpec] = []
    """Tried in order, the first that holds wins; without one the period's own rates hold."""
    prompt_upto: Tokens | None = None
    """The last size band's end: a larger prompt is unpriced."""
    announced: bool = False
    """The source announced this price before it was in force."""
    source: Source
    note: str | None = None


class BehaviourSpec(Spec, frozen=True, kw_only=True):
    """What requests may ask for. What is named nowhere is unknown, which is neither yes nor no."""

    has: list[Ability] = []
    lacks: list[Ability] = []
    """What is refused, or ignored where a program would rely on it."""
    fixed: list[Sampling] = []
    """What the model sets itself: it refuses or ignores any other value."""
    renames: dict[str, str] = {}
    """Parameter → how it is called here."""
    thinking: Thinking | None = None
    efforts: list[Effort] = []
    source: Source


class ModelSpec(Spec, frozen=True, kw_only=True):
    """One model that is billed."""

    id: str
    aliases: list[str] = []
    """Other names, exact or with `*`."""
    tokenizer: str | None = None
    context_window: Tokens | None = None
    max_output: Tokens | None = None
    capability_tier: CapabilityTier | None = None
    capabilities: list[Ability] = []
    facts: str | None = None
    """Where context window, maximal output and capabilities come from."""
    behaviour: BehaviourSpec | None = None
    """What differs from the provider's."""
    retires: Instant | None = None
    """From then on no candidate for a migration; prices are closed by a period's `to` alone."""
    note: str | None = None
    periods: list[PeriodSpec]


class ApiSpec(Spec, frozen=True):
    """How the provider is reached; defaults for `endpoints` in llmmigrate.yaml."""

    base_url: str
    dialect: Dialect
    api_key_env: str
    behaviour: BehaviourSpec | None = None
    """What holds for all models here."""


class CalendarSpec(Spec, frozen=True):
    """Named days of some years, in one time zone."""

    tz: str
    covers: list[int]
    """The years that are complete; in any other year a day is unknown."""
    days: list[str]
    """`2026-10-01` or `2026-10-01..2026-10-07`."""
    source: Source


class SettlementSpec(Spec, frozen=True):
    """A relay that sells credits: what one USD of credit costs in its own currency."""

    currency: str
    per_credit_usd: Decimal


class TableSpec(Spec, frozen=True, kw_only=True):
    """One provider's prices. The provider is who bills."""

    schema: Literal[1]
    provider: str
    name: str | None = None
    bare_names: bool = False
    """Whether a model name without any provider may mean this one: true for makers that sell their own models."""
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    checked: Instant | None = None
    """The day on which somebody last compared this provider's prices with their sources."""
    api: ApiSpec | None = None
    prefixes: list[str] = []
    """Names of this provider in logs, and prefixes of its models' names."""
    pricing_urls: list[str] = []
    settlement: SettlementSpec | None = None
    multipliers: dict[str, Decimal] = {}
    """Named factors applied last, such as `vat: "1.13"`."""
    calendars: dict[str, CalendarSpec] = {}
    note: str | None = None
    models: list[ModelSpec]


class ExchangeSpec(Spec, frozen=True):
    """One unit of `base` costs `rate` units of `quote`, from `from` on."""

    from_: Instant = field(name="from")
    base: str
    quote: str
    rate: Decimal
    source: Source
    note: str | None = None


class ExchangeTableSpec(Spec, frozen=True):
    """Dated exchange rates."""

    schema: Literal[1]
    exchange_rates: list[ExchangeSpec]


def json_schema() -> dict[str, object]:
    """The JSON Schema of price tables and exchange rates, for editors and tests."""
    kinds, components = msgspec.json.schema_components((TableSpec, ExchangeTableSpec), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "llmmigrate price table",
        "anyOf": list(kinds),
        "$defs": components,
    }
