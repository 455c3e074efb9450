"""A `ROLLBACK_CONFIG` as migration playbooks write it: the same triggers and fallback providers, found by their names.

    latency_threshold_ms 200, error_rate_threshold 0.05, consecutive_failures 3,
    primary (the target), secondary (today's provider), emergency, check_interval_seconds 30, metrics_endpoint,
    alert_webhook

The file is JSON, YAML, or Python with a dictionary of literals; where in it a name stands does not matter.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from llmmigrate.errors import ConfigError, Location
from llmmigrate.rollout.plan import hook, url_path
from llmmigrate.rollout.template import Known, Side
from llmmigrate.typed_yaml import Source, compose, looks_secret

_NAME: Final = "ROLLBACK_CONFIG"
_ROLES: Final = {"primary": "target", "secondary": "current", "emergency": "emergency"}
_URLS: Final = ("base_url", "url", "endpoint", "api_base", "baseURL")
_MODELS: Final = ("model", "models")

FindSide = Callable[[str], Side | None]
"""The provider of a name, such as `openai`, where it is known."""


class Playbook(NamedTuple):
    """What was taken over, and the keys that were not, with the reason where their values were at fault."""

    known: Known
    ignored: tuple[str, ...]


def read(path: Path, find: FindSide) -> Playbook:
    """The plan of a playbook's file. ConfigError for what is no such file or holds values that cannot be meant."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read {path}", why=str(error)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text", why=str(error)) from None
    document = _document(text, str(path))
    if not isinstance(document, Mapping):
        raise ConfigError(f"{path} holds no ROLLBACK_CONFIG", fix="write keys and values as JSON, YAML or Python")
    return _taken_over(document, find, str(path))


def _document(text: str, name: str) -> Any:
    """ROLLBACK_CONFIG or else the first dictionary in Python text, else YAML (of which JSON is a part)."""
    found = list(_dictionaries(text))
    named = [value for assigned, value in found if assigned == _NAME]
    for value in named or [value for _, value in found]:
        try:
            return ast.literal_eval(value)
        except (ValueError, TypeError) as error:
            if named:
                why = f"not all of it is literal: {error}"
                fix = "write values in place of what is computed; keys stay in the environment"
                raise ConfigError(f"{name}: {_NAME} cannot be read", why=why, fix=fix) from None
    compose(Source(text, name, key="key: env:NAME in migration.yaml"))  # refuses what is no YAML, with the place
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{name} cannot be read", why=str(error)) from None


def _dictionaries(text: str) -> Iterator[tuple[str, ast.Dict]]:
    """The dictionaries that Python text gives a name, in their order; none where it is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Dict):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            yield target.id if isinstance(target, ast.Name) else "", node.value


def _taken_over(document: Mapping[Any, Any], find: FindSide, name: str) -> Playbook:
    values = dict(_leaves(document))
    if any(looks_secret(str(value)) for value in values.values()):
        raise ConfigError(
            "a value looks like an API key",
            where=Location(name),
            why="keys do not belong in files that are shared; this one was neither stored nor shown",
            fix="put it into an environment variable and leave it out here",
            code="secret",
        )
    sides, used = _sides(document, find)
    webhook, no_webhook = _word(values, "alert_webhook", hook)
    metrics, no_metrics = _word(values, "metrics_endpoint", _path)
    known = Known(
        current=sides.get("current", Known().current),
        target=sides.get("target", Known().target),
        emergency=sides.get("emergency", Known().emergency),
        error_rate=_percent(values, name),
        latency_p95=_scaled(values, "latency_threshold_ms", "ms", name),
        failures=_whole(values, "consecutive_failures", name) or "3",
        every=_scaled(values, "check_interval_seconds", "s", name) or "30s",
        webhook=webhook,
        metrics_path=metrics,
        notes=(f"Taken over from {Path(name).name}.",),
    )
    taken = {"error_rate_threshold", "latency_threshold_ms", "consecutive_failures", "check_interval_seconds"}
    taken |= {"alert_webhook", "metrics_endpoint"}
    ignored = [path for path in values if path.rpartition(".")[2] not in taken and path not in used]
    return Playbook(known, (*ignored, *no_webhook, *no_metrics))


def _leaves(document: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no mapping or list, with the names that lead to it."""
    items = document.items() if isinstance(document, Mapping) else enumerate(document)
    for key, value in items:
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping | list | tuple):
            yield from _leaves(value, path)
        else:
            yield path, value


def _last(values: Mapping[str, Any], name: str) -> Any:
    return next((value for path, value in values.items() if path.rpartition(".")[2] == name), None)


def _sides(document: Any, find: FindSide) -> tuple[dict[str, Side], set[str]]:
    """The providers by our role, and the paths that told of them."""
    sides: dict[str, Side] = {}
    used: set[str] = set()
    for path, word, details in _mentions(document, ""):
        side = _side(details, find)
        if side is not None and word in _ROLES:
            sides[_ROLES[word]] = side
            used |= {path} | {f"{path}.{key}" for key in (*_URLS, *_MODELS, "name", "provider", "role", "type")}
    return sides, used


def _mentions(document: Any, prefix: str) -> Iterator[tuple[str, str, Any]]:
    """Every place that gives a role: as a key, or in a list as the value of `name`, `role` or `type`."""
    items = document.items() if isinstance(document, Mapping) else enumerate(document)
    for key, value in items:
        path = f"{prefix}.{key}" if prefix else str(key)
        yield path, str(key), value
        if isinstance(value, Mapping):
            for name in ("role", "name", "type"):
                yield path, str(value.get(name)), value
        if isinstance(value, Mapping | list | tuple):
            yield from _mentions(value, path)


def _side(details: Any, find: FindSide) -> Side | None:
    if isinstance(details, str):
        return Side(details, "PROVIDER_API_KEY") if "://" in details else find(details)
    if not isinstance(details, Mapping):
        return None
    url = next((str(details[key]) for key in _URLS if details.get(key)), None)
    named = next((find(str(details[key])) for key in ("provider", "name") if details.get(key)), None)
    if url is None:
        return named
    return Side(url, named.key if named else "PROVIDER_API_KEY", named.context if named else None)


def _percent(values: Mapping[str, Any], name: str) -> str:
    part = _number(values, "error_rate_threshold", name)
    if part is None:
        return "5%"
    if part > 1:
        raise _refused("error_rate_threshold", part, "part of 1", "write it like 0.05", name)
    return f"{(part * 100).normalize():f}%"


def _scaled(values: Mapping[str, Any], key: str, unit: str, name: str) -> str | None:
    number = _number(values, key, name)
    return None if number is None else f"{number:f}{unit}"


def _whole(values: Mapping[str, Any], key: str, name: str) -> str | None:
    number = _number(values, key, name)
    if number is not None and number % 1:
        raise _refused(key, number, "whole number", "write it like 3", name)
    return None if number is None else f"{int(number)}"


def _number(values: Mapping[str, Any], key: str, name: str) -> Decimal | None:
    value = _last(values, key)
    if value is None:
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found <= 0:
        raise _refused(key, value, "number above 0", None, name)
    return found


def _refused(key: str, value: Any, what: str, fix: str | None, name: str) -> ConfigError:
    return ConfigError(f"{key}: '{value}' is no {what}", where=Location(name), fix=fix)


def _word(values: Mapping[str, Any], key: str, plain: Callable[[str], str]) -> tuple[str | None, tuple[str, ...]]:
    """A value as the plan takes it, else why it does not."""
    value = _last(values, key)
    if value is None:
        return None, ()
    try:
        return plain(str(value)), ()
    except ValueError as error:
        return None, (f"{key}: {error}",)


def _path(text: str) -> str:
    """The path of an endpoint, whatever host it was written with."""
    rest = text.partition("://")[2]
    return url_path(f"/{rest.partition('/')[2]}" if rest else text)
