"""What is known of a target: its limits, what it can do, what it refuses, and what its dialect says of itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from llmmigrate.prices.cards import Unpriced
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry, Table
from llmmigrate.prices.tables import Ability, BehaviourSpec, Thinking
from llmmigrate.units import Dialect

MAKERS: Final[Mapping[Dialect, frozenset[str]]] = {
    "openai-chat": frozenset({"openai", "azure"}),
    "openai-responses": frozenset({"openai", "azure"}),
    "anthropic-messages": frozenset({"anthropic"}),
}
"""Who defines a dialect, and serves all of it."""

HAS: Final[Mapping[Dialect, frozenset[Ability]]] = {
    "openai-chat": frozenset({"temperature", "top_p", "stop"}),
    "openai-responses": frozenset({"temperature", "top_p", "stream_usage"}),
    "anthropic-messages": frozenset({"temperature", "top_p", "top_k", "stop", "stream_usage"}),
}
"""What every server of a dialect takes, but for models that say otherwise."""

LACKS: Final[Mapping[Dialect, frozenset[Ability]]] = {
    "openai-chat": frozenset(),
    "openai-responses": frozenset({"n", "seed", "stop", "penalties", "logit_bias", "top_k", "prefill"}),
    "anthropic-messages": frozenset(
        {"n", "seed", "logprobs", "penalties", "logit_bias", "json_object", "audio", "verbosity"}
    ),
}
"""What a dialect has no words for (the vendors' API references; for Anthropic its page on OpenAI compatibility too)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model where it is served, as far as anybody has written it down."""

    provider: str
    model: str
    """As the endpoint names it."""
    dialect: Dialect
    context_window: int | None = None
    """Tokens of prompt and answer together."""
    max_output: int | None = None
    has: frozenset[str] = frozenset()
    """Beside what its dialect says of itself."""
    lacks: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    """Sampling parameters that the model sets itself and refuses or ignores."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Parameter → how this endpoint calls it."""
    thinking: Thinking | None = None
    """How reasoning is asked for; None where it is not known."""
    efforts: tuple[str, ...] = ()
    """The reasoning efforts that are known to be taken; empty where none is known."""

    @property
    def name(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.model}"

    @property
    def is_maker(self) -> bool:
        """Whether the provider itself defines the dialect."""
        return self.provider in MAKERS[self.dialect]

    def can(self, ability: str) -> bool | None:
        """Whether the target can do something; None where nobody has written it down."""
        if ability in LACKS[self.dialect] or ability in self.lacks:
            return False
        return True if ability in self.has or ability in HAS[self.dialect] else None


def find_target(catalog: Catalog, provider: str, model: str, dialect: Dialect | None = None) -> Target:
    """The target of these names; one that no price table lists is known by its dialect alone."""
    entry = catalog.find(provider, model)
    if isinstance(entry, Unpriced) or entry.provider not in catalog.tables:
        table = catalog.tables.get(provider)
        return _target(provider, model, None, table, dialect)
    return _target(provider, model, entry, catalog.tables[entry.provider], dialect)


def target_of(entry: Entry, table: Table) -> Target:
    """The target that a model of the price tables is, asked in its provider's own dialect."""
    return _target(entry.provider, entry.id, entry, table, None)


def _target(provider: str, model: str, entry: Entry | None, table: Table | None, dialect: Dialect | None) -> Target:
    """A model's own word wins over its provider's, and both over what goes for its dialect."""
    api = None if table is None else table.api
    spoken = dialect or (api.dialect if api is not None else "openai-chat")
    told = [None if entry is None else entry.behaviour, None if api is None else api.behaviour]
    layers = [behaviour for behaviour in told if behaviour is not None]
    has, lacks = _abilities(() if entry is None else entry.capabilities, layers)
    return Target(
        provider=provider,
        model=model,
        dialect=spoken,
        context_window=None if entry is None else entry.context_window,
        max_output=None if entry is None else entry.max_output,
        has=has,
        lacks=lacks,
        fixed=frozenset(name for behaviour in layers for name in behaviour.fixed),
        renames={old: new for behaviour in reversed(layers) for old, new in behaviour.renames.items()},
        thinking=next((behaviour.thinking for behaviour in layers if behaviour.thinking is not None), None),
        efforts=next((tuple(behaviour.efforts) for behaviour in layers if behaviour.efforts), ()),
    )


def _abilities(
    capabilities: Iterable[Ability], layers: Iterable[BehaviourSpec]
) -> tuple[frozenset[str], frozenset[str]]:
    """What is there and what is not; of two words on one ability, that of the earlier layer."""
    found: dict[str, bool] = {}
    for behaviour in layers:
        for present, names in ((False, behaviour.lacks), (True, behaviour.has)):
            for name in names:
                found.setdefault(name, present)
    for name in capabilities:
        found.setdefault(name, True)
    return frozenset(name for name in found if found[name]), frozenset(name for name in found if not found[name])
