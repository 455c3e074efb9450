"""Adds an endpoint of one's own to `llmmigrate.yaml` as provider `local`, leaving every other line as it is."""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import yaml

from llmmigrate.config import Config
from llmmigrate.errors import ConfigError, Location
from llmmigrate.typed_yaml import Source, compose, convert

NAME = "local"
VARIABLE = "LLMMIGRATE_LOCAL_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What the settings say about it."""

    base_url: str
    needs_key: bool
    gpu_hour: Decimal | None
    gpus: int


def with_local(text: str, endpoint: Endpoint, *, path: str, replace: bool) -> str:
    """The settings with provider `local` in them. ConfigError when another one is there already, unless `replace`."""
    line = f"{NAME}: {_entry(endpoint)}"
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None or not isinstance(root, yaml.MappingNode):
        return f"{text.rstrip()}\n\nproviders:\n  {line}\n".lstrip()
    providers = _value(root, "providers")
    if not isinstance(providers, yaml.MappingNode):
        start, end = _line_of(text, root, "providers")
        return f"{text[:start].rstrip()}\n\nproviders:\n  {line}\n{text[end:]}".lstrip()
    held = _value(providers, NAME)
    if held is None:
        return _inserted(text, providers, line)
    if text[held.start_mark.index : held.end_mark.index].strip() == _entry(endpoint):
        return text
    if not replace:
        where = Location(path, held.start_mark.line + 1, held.start_mark.column + 1)
        raise ConfigError("there is another provider 'local' already", where=where, fix="replace it with --force")
    tail = "\n" if text[: held.end_mark.index].endswith("\n") else ""
    return f"{text[: held.start_mark.index].rstrip()} {_entry(endpoint)}{tail}{text[held.end_mark.index :]}"


def check(text: str, path: Path) -> None:
    """ConfigError unless the settings can be read with the change."""
    source = Source(text, str(path))
    node = compose(source)
    if node is not None:
        convert(node, Config, source)


def _entry(endpoint: Endpoint) -> str:
    """The provider on one line, as YAML."""
    price = f"{{gpu_hour_usd: {endpoint.gpu_hour}, gpus: {endpoint.gpus}}}" if endpoint.gpu_hour is not None else "zero"
    key = f", api_key_env: {VARIABLE}" if endpoint.needs_key else ""
    return f"{{base_url: {json.dumps(endpoint.base_url)}{key}, dialect: openai-chat, price: {price}}}"


def _inserted(text: str, providers: yaml.MappingNode, line: str) -> str:
    """The line as the first of `providers`, in the style that is there."""
    start = providers.start_mark.index
    if providers.flow_style:
        return f"{text[: start + 1]}{line}{', ' if providers.value else ''}{text[start + 1 :]}"
    return f"{text[:start]}{line}\n{' ' * providers.start_mark.column}{text[start:]}"


def _value(node: yaml.MappingNode, key: str) -> yaml.Node | None:
    return next((value for name, value in node.value if name.value == key), None)


def _line_of(text: str, root: yaml.MappingNode, key: str) -> tuple[int, int]:
    """Where an empty entry of this key stands; the end of the text where there is none."""
    for name, value in root.value:
        if name.value == key:
            return name.start_mark.index, value.end_mark.index
    return len(text), len(text)
