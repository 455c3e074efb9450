"""What may change: the rules of a policy, each checked for making sense before anything is read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from llmmigrate.config import Check, Settings
from llmmigrate.errors import ConfigError, Location, nearest
from llmmigrate.quantities import Limit

Level = Literal["fail", "warn"]
Kind = Literal["ratio", "quantile", "money", "count", "age"]

DEFAULTS: Final[Mapping[str, Limit]] = {
    "cost_per_1000_calls": Limit("<=", Decimal(5), "%", change=True),
    "output_tokens_per_call": Limit("<=", Decimal(5), "%", change=True),
}
"""The rules that hold where a policy says nothing."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What a measure is, which way is worse (1: up), and the units of its limits: as a change and as itself."""

    kind: Kind
    sign: int
    relative: tuple[str, ...]
    absolute: tuple[str, ...]
    example: str


MEASURES: Final[Mapping[str, Measure]] = {
    "cost_per_1000_calls": Measure("ratio", 1, ("%", "x", "USD"), ("USD", ""), "<= +5%"),
    "output_tokens_per_call": Measure("ratio", 1, ("%", "x", ""), ("",), "<= +5%"),
    "output_tokens_p95": Measure("quantile", 1, ("%", "x"), ("",), "<= +10%"),
    "cache_hit_share": Measure("ratio", -1, ("pt",), ("%",), ">= -5pt"),
    "monthly_delta": Measure("money", 1, ("USD", ""), ("USD", ""), "<= 100 USD"),
    "unpriced_calls": Measure("count", 1, (), ("",), "0"),
    "price_table_age": Measure("age", 1, (), ("",), "<= 90"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit for the calls that `where` names; all calls where it names none."""

    measure: str
    limit: Limit
    level: Level
    where: Mapping[str, str]
    place: Location | None

    @property
    def relative(self) -> bool:
        """Whether it holds a change against the baseline, so that chance matters."""
        return self.limit.change and self.measure != "monthly_delta"


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules, the tags they need, and what else a policy says."""

    rules: tuple[Rule, ...]
    by: tuple[str, ...]
    monthly_calls: int | None

    def tags(self) -> list[str]:
        """The tags that the rules ask for."""
        names = [*self.by, *(name for rule in self.rules for name in rule.where)]
        return list(dict.fromkeys(name.removeprefix("tag.") for name in names if name not in ("model", "provider")))


def policy_of(settings: Settings) -> Policy:
    """The rules of the settings over the defaults. ConfigError for a rule that cannot be meant."""
    check = settings.config.check
    for name in check.warn:
        _known(name, _place(settings, "warn"))
    return Policy((*_plain_rules(check, settings), *_own_rules(check, settings)), check.by, check.monthly_calls)


def _plain_rules(check: Check, settings: Settings) -> Iterator[Rule]:
    for name in MEASURES:
        limit = getattr(check, name) or DEFAULTS.get(name)
        if limit is not None:
            yield _rule(name, limit, "warn" if name in check.warn else "fail", {}, _place(settings, name))


def _own_rules(check: Check, settings: Settings) -> Iterator[Rule]:
    place = _place(settings, "rules")
    for rule in check.rules:
        _known(rule.measure, place)
        if MEASURES[rule.measure].kind not in ("ratio", "quantile") and rule.where:
            raise ConfigError(f"{rule.measure} holds for all calls together", where=place, fix="leave out `where`")
        yield _rule(rule.measure, rule.limit, rule.level, rule.where, place)


def _rule(name: str, limit: Limit, level: Level, where: Mapping[str, str], place: Location | None) -> Rule:
    """A rule. ConfigError where its limit cannot be one of this measure, or could never be broken."""
    measure = MEASURES[name]
    fix = f'write it like {name}: "{measure.example}"'
    if limit.unit not in (measure.relative if limit.change else measure.absolute):
        raise ConfigError(f"'{limit}' is no limit of {name}", where=place, why=_why_unit(limit), fix=fix)
    if (limit.comparison in ("<=", "<")) != (measure.sign > 0):
        worse = "rises" if measure.sign > 0 else "falls"
        raise ConfigError(f"'{limit}' is no limit of {name}", where=place, why=f"it is worse when it {worse}", fix=fix)
    tolerance = limit.value - 1 if limit.unit == "x" else measure.sign * limit.value
    if limit.change and tolerance < 0:
        raise ConfigError(
            f"'{limit}' is no limit of {name}",
            where=place,
            why="a rule fails only where the traffic became worse, which this asks to be better",
            fix=fix,
        )
    if name == "cache_hit_share" and abs(limit.value) > 100:
        raise ConfigError(f"'{limit}' is beyond 100 %", where=place, fix=fix)
    return Rule(name, limit, level, where, place)


def _why_unit(limit: Limit) -> str:
    if limit.unit == "%" and not limit.change:
        return "a change needs its sign: +5%"
    return f"the unit '{limit.unit}' does not fit it" if limit.unit else "it needs a unit"


def _known(name: str, place: Location | None) -> None:
    if name not in MEASURES:
        near = nearest(name, MEASURES)
        fix = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(MEASURES)}"
        raise ConfigError(f"unknown measure '{name}'", where=place, fix=fix, code="unknown_key")


def _place(settings: Settings, key: str) -> Location | None:
    """Where the settings say it, None for a default or the environment."""
    origin = settings.origins.get(f"check.{key}", "")
    _, sign, line = origin.rpartition(":")
    if not sign or not line.isdecimal() or settings.path is None:
        return None
    return Location(str(settings.path), int(line))
