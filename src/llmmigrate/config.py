"""`llmmigrate.yaml`: its keys, where it is found, and what overrides it.

Flags win over `LLMMIGRATE_*` environment variables, these over the nearest `llmmigrate.yaml` upwards, that over the
defaults. A variable's name is the key's path: `shadow.canary` is `LLMMIGRATE_SHADOW_CANARY`; its value is written as
in the file. Paths in the file are relative to the file. Secrets are only ever names of environment variables.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_type_hints

import msgspec

from llmmigrate import quantities
from llmmigrate.annotations import About, Written, bare_type, key_of
from llmmigrate.errors import ConfigError, Location
from llmmigrate.quantities import Amount, Limit
from llmmigrate.units import Dialect

if TYPE_CHECKING:
    from llmmigrate.typed_yaml import Node, Source

FILE_NAME: Final = "llmmigrate.yaml"
VERSION: Final = 1
PREFIX: Final = "LLMMIGRATE_"


def _variable(text: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text, re.ASCII) is None:
        raise ValueError(
            "this is no name of an environment variable: write a name such as OPENAI_API_KEY, not its value"
        )
    return text


Share = Annotated[Decimal, Written(quantities.share, "10%", ("string", "number"))]
Percent = Annotated[Decimal, Written(quantities.percent, "8%")]
Money = Annotated[Amount, Written(quantities.amount, "25 USD")]
Size = Annotated[int, Written(quantities.size, "2M", ("string", "integer"))]
Months = Annotated[int, Written(quantities.months, "24 months")]
Bound = Annotated[Limit, Written(quantities.limit, "<= +5%", ("string", "number"))]
Number = Annotated[Decimal, Written(quantities.number, "2.60", ("string", "number"))]
Variable = Annotated[str, Written(_variable, "OPENAI_API_KEY")]


class HardwarePrice(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint of one's own costs."""

    gpu_hour_usd: Annotated[Number, About("USD for one GPU and one hour.")]
    gpus: Annotated[int, About("How many GPUs.")]


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint and its limits."""

    base_url: Annotated[str | None, About("Where requests go.")] = None
    api_key_env: Annotated[
        Variable | None, About("Name of the environment variable that holds the key; never the key.")
    ] = None
    dialect: Annotated[Dialect | None, About("The API that it speaks.")] = None
    rpm: Annotated[Size | None, About("Requests a minute.")] = None
    tpm: Annotated[Size | None, About("Tokens a minute.")] = None
    concurrency: Annotated[Size | None, About("Requests at one time.")] = None
    price: Annotated[Literal["zero"] | HardwarePrice | None, About("What is not billed by the token.")] = None


class Side(Provider, frozen=True, kw_only=True):
    """A provider and a model, and what differs from the provider's settings for this side alone."""

    provider: Annotated[str | None, About("Who serves and bills.")] = None
    model: Annotated[str | None, About("The model, as its provider names it.")] = None


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison on live requests."""

    canary: Annotated[Share | None, About("Part of the calls that are replayed.")] = None
    max_cost: Annotated[Money | None, About("Stop before this is spent.")] = None
    seed: Annotated[Size | None, About("Which calls are drawn.")] = None
    gates: Annotated[dict[str, Bound], About("What each measure may be.")] = {}


class CheckRule(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of its own for a part of the calls."""

    measure: Annotated[str, About("What is measured: one of the names of `check`.")]
    limit: Annotated[Bound, About("What it may be.")]
    where: Annotated[dict[str, str], About("Which calls: model, provider, tag.NAME.")] = {}
    level: Annotated[Literal["fail", "warn"], About("What a broken rule does.")] = "fail"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What may change before the CI check fails."""

    cost_per_1000_calls: Annotated[Bound | None, About("Cost of 1,000 calls against the baseline.")] = None
    output_tokens_per_call: Annotated[Bound | None, About("Output tokens a call against the baseline.")] = None
    output_tokens_p95: Annotated[Bound | None, About("Output tokens that 95 % of the calls stay within.")] = None
    cache_hit_share: Annotated[Bound | None, About("Part of the input tokens that was read from a cache.")] = None
    monthly_delta: Annotated[Bound | None, About("What the change costs more in a month.")] = None
    monthly_calls: Annotated[Size | None, About("Calls of a month, where the log is too short to project one.")] = None
    unpriced_calls: Annotated[Bound | None, About("Calls without a price.")] = None
    price_table_age: Annotated[Bound | None, About("Days since a price table was compared with its source.")] = None
    by: Annotated[tuple[str, ...], About("Relative limits hold for each of these, too: model, tag.NAME.")] = ()
    warn: Annotated[tuple[str, ...], About("Rules that only warn.")] = ()
    rules: Annotated[tuple[CheckRule, ...], About("Limits for parts of the calls.")] = ()


class ReportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision needs beside the traffic."""

    one_off_cost: Annotated[Money | None, About("Cost of the migration itself.")] = None
    horizon: Annotated[Months | None, About("How far the report looks.")] = None
    discount: Annotated[Percent | None, About("Discount rate a year.")] = None


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of llmmigrate. Every key is optional."""

    version: Annotated[int, About("Version of this file's form.")] = VERSION
    logs: Annotated[tuple[str, ...], About("Logs to read when none are named: files, globs, directories.")] = ()
    from_: Annotated[Side | None, About("Where the traffic is now.")] = None
    to: Annotated[Side | None, About("Where it might go.")] = None
    providers: Annotated[dict[str, Provider], About("Endpoints; known vendors have defaults.")] = {}
    map: Annotated[dict[str, str], About("Which model replaces which; keep stays.")] = {}
    aliases: Annotated[dict[str, str], About("What logged model names mean, as provider/model.")] = {}
    prices: Annotated[tuple[str, ...], About("Price tables of your own.")] = ()
    discounts: Annotated[dict[str, Share], About("Discounts by provider.")] = {}
    shadow: Shadow = msgspec.field(default_factory=Shadow)
    check: Check = msgspec.field(default_factory=Check)
    report: ReportSettings = msgspec.field(default_factory=ReportSettings)


class Flag(msgspec.Struct, frozen=True):
    """A value from the command line and the option that gave it."""

    value: Any
    option: str


class Settings(msgspec.Struct, frozen=True):
    """The settings in force; `origins` tells for each key that is not a default where it came from."""

    config: Config
    origins: Mapping[str, str]
    path: Path | None

    def resolve(self, path: str) -> Path:
        """A path of the file as seen from here: relative paths are relative to the file."""
        return self.path.parent / path if self.path is not None else Path(path)


_Leaf = tuple["Node", "Source", str]


def load(
    *,
    directory: Path,
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Flag] | None = None,
) -> Settings:
    """The settings for a run in `directory`: flags (by key path) > environment > file > defaults.

    `path` names the file instead of the nearest one upwards. Raises ConfigError, with the place, for what is wrong.
    """
    file = path if path is not None else find(directory)
    leaves = {**(_from_file(file) if file else {}), **_from_environment(environment or {})}
    given = flags or {}
    config = _build(Config, "", leaves, given)
    if config.version != VERSION:
        raise ConfigError(f"version {config.version} is not known", where=_place(leaves["version"]), fix="version: 1")
    origins = {key: leaf[2] for key, leaf in leaves.items()} | {key: flag.option for key, flag in given.items()}
    return Settings(config, origins, file)


def find(directory: Path) -> Path | None:
    """The nearest `llmmigrate.yaml` in `directory` or above it."""
    start = directory.absolute()
    return next((place / FILE_NAME for place in (start, *start.parents) if (place / FILE_NAME).is_file()), None)


def schema() -> dict[str, Any]:
    """The JSON Schema of `llmmigrate.yaml`."""
    from llmmigrate.typed_yaml import json_schema

    return json_schema(Config)


def listing(settings: Settings) -> list[tuple[str, str, str]]:
    """Every key with its value as text and its origin, in the file's order."""
    return [(key, _shown(_value(settings.config, key)), settings.origins.get(key, "default")) for key in _paths(Config)]


def _from_file(path: Path) -> dict[str, _Leaf]:
    from llmmigrate.typed_yaml import Source, compose

    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"no such file: {path}", fix="llmmigrate init writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}", why=str(error)) from None
    source = Source(text, str(path))
    node = compose(source)
    return _collect(node, Config, "", source) if node is not None else {}


def _collect(node: "Node", record: Any, prefix: str, source: "Source") -> dict[str, _Leaf]:
    """The nodes of all keys that are not records themselves, by path."""
    from llmmigrate.typed_yaml import known_entries

    hints = get_type_hints(record, include_extras=True)
    leaves: dict[str, _Leaf] = {}
    for name, value in known_entries(node, record, source).items():
        path, inner = prefix + key_of(name), _record_in(hints[name])
        if inner is None:
            leaves[path] = (value, source, f"{Path(source.name).name}:{value.start_mark.line + 1}")
        else:
            leaves |= _collect(value, inner, f"{path}.", source)
    return leaves


def _from_environment(environment: Mapping[str, str]) -> dict[str, _Leaf]:
    if not any(name.startswith(PREFIX) for name in environment):
        return {}
    from llmmigrate.typed_yaml import Source, compose

    leaves: dict[str, _Leaf] = {}
    for path in _paths(Config):
        name = PREFIX + path.replace(".", "_").upper()
        source = Source(environment.get(name, ""), name)
        node = compose(source)
        if node is not None:
            leaves[path] = (node, source, name)
    return leaves


def _build(record: Any, prefix: str, leaves: Mapping[str, _Leaf], flags: Mapping[str, Flag]) -> Any:
    """A record from the leaves and flags under `prefix`; what neither has keeps its default."""
    values: dict[str, Any] = {}
    for name, hint in get_type_hints(record, include_extras=True).items():
        path, inner = prefix + key_of(name), _record_in(hint)
        if inner is not None:
            if any(key.startswith(f"{path}.") for key in (*leaves, *flags)):
                values[name] = _build(inner, f"{path}.", leaves, flags)
        elif path in leaves or path in flags:
            values[name] = _given(hint, leaves.get(path), flags.get(path))
    return record(**values)


def _given(hint: Any, leaf: _Leaf | None, flag: Flag | None) -> Any:
    """The value of one key: a flag replaces what the file says, but for mappings, to which it adds."""
    written = _converted(hint, leaf) if leaf is not None else None
    if flag is None:
        return written
    return {**written, **flag.value} if isinstance(written, dict) else flag.value


def _converted(hint: Any, leaf: _Leaf) -> Any:
    from llmmigrate.typed_yaml import convert

    return convert(leaf[0], hint, leaf[1])


def _paths(record: Any, prefix: str = "") -> list[str]:
    paths: list[str] = []
    for name, hint in get_type_hints(record, include_extras=True).items():
        inner = _record_in(hint)
        path = prefix + key_of(name)
        paths += [path] if inner is None else _paths(inner, f"{path}.")
    return paths


def _record_in(hint: Any) -> Any:
    """The record type of a field that holds a record (or none), else None."""
    bare = bare_type(hint)
    members = [member for member in get_args(bare) or (bare,) if member is not type(None)]
    only = members[0] if len(members) == 1 else None
    return only if isinstance(only, type) and issubclass(only, msgspec.Struct) else None


def _value(config: Config, path: str) -> Any:
    value: Any = config
    for key in path.split("."):
        value = getattr(value, "from_" if key == "from" else key, None)
    return value


def _shown(value: Any) -> str:
    if isinstance(value, Limit | Amount):
        return str(value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) or "none"
    if isinstance(value, tuple):
        return ", ".join(_shown(item) for item in value) or "none"
    if isinstance(value, msgspec.Struct):
        shown = msgspec.structs.asdict(value)
        return "{" + ", ".join(f"{name}: {_shown(item)}" for name, item in shown.items() if item is not None) + "}"
    return "none" if value is None else str(value)


def _place(leaf: _Leaf) -> Location:
    node, source, _ = leaf
    return source.at(node)
