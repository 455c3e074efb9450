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

_WHOLE: Final = 100
"""All of a whole, in percent."""


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
    if check.monthly_calls == 0:
        raise ConfigError(
            "monthly_calls: 0 makes every change of a month 0",
            where=_place(settings, "monthly_calls"),
            why="monthly_delta could never be broken",
            fix="write the calls of a month, such as monthly_calls: 2M, or leave it out",
        )
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
    why = _why_form(measure, limit) or _why_direction(measure, limit) or _why_always(name, limit)
    if why:
        raise ConfigError(f"'{limit}' is no limit of {name}", where=place, why=why, fix=fix)
    if name == "cache_hit_share" and abs(limit.value) > _WHOLE:
        raise ConfigError(f"'{limit}' is beyond 100 %", where=place, fix=fix)
    return Rule(name, limit, level, where, place)


def _why_form(measure: Measure, limit: Limit) -> str | None:
    """Why the sign or the unit of a limit does not fit its measure, None where both do."""
    if limit.change and not measure.relative:
        negative = limit.value < 0
        return "it is never negative" if negative else "it holds the value itself, not a change: leave out the sign"
    if limit.unit in (measure.relative if limit.change else measure.absolute):
        return None
    if limit.unit == "%" and not limit.change:
        return "a change needs its sign: +5%"
    return f"the unit '{limit.unit}' does not fit it" if limit.unit else "it needs a unit"


def _why_direction(measure: Measure, limit: Limit) -> str | None:
    """Why a limit holds the better side or asks for a change to the better, None where it does not."""
    if limit.comparison not in (("<=", "<") if measure.sign > 0 else (">=", ">")):
        return f"it is worse when it {'rises' if measure.sign > 0 else 'falls'}"
    tolerance = limit.value - 1 if limit.unit == "x" else measure.sign * limit.value
    if limit.change and tolerance < 0:
        return "a rule fails only where the traffic became worse, which this asks to be better"
    return None


def _why_always(name: str, limit: Limit) -> str | None:
    """Why a limit could never be broken, None where it could. Only a share has an end on its worse side."""
    if name != "cache_hit_share" or limit.comparison != ">=":
        return None
    if limit.change and limit.value == -_WHOLE:
        return "no share falls by more than 100 points, so that it could never be broken"
    return "no share is below 0 %, so that it could never be broken" if not (limit.change or limit.value) else None


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
