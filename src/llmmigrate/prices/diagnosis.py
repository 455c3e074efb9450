"""Places and words for what is wrong in a price file. Only used once something is wrong."""

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import get_args

import msgspec
import yaml

from llmmigrate.errors import Location, PriceTableError, nearest
from llmmigrate.prices import tables
from llmmigrate.prices.nodes import line_text, read_nodes
from llmmigrate.units import COUNT_CLASSES, SERVICE_TIERS, TOKEN_CLASSES

Step = str | int
ANY: Step = "..."
"""A step into a mapping whose key the message does not tell."""

_STEP = re.compile(r"\.([\w-]+)|\[(\d+|\.\.\.)\]")
_QUOTED = re.compile(r"[`']([^`']*)[`']")


def explained(path: Path, data: bytes, message: str) -> PriceTableError:
    """The error for msgspec's message, which ends in a path such as `$.models[3].id`."""
    what, _, place = message.partition(" - at ")
    steps = [name or (ANY if index == ANY else int(index)) for name, index in _STEP.findall(place)]
    node = locate(read_nodes(path, data), steps)
    quoted = _QUOTED.search(what)
    if "unknown field" in what and quoted:
        return _unknown_key(path, data, node, quoted[1], _field_names())
    if place.startswith("`key`") and quoted:
        return _unknown_key(path, data, node, quoted[1], (*TOKEN_CLASSES, *COUNT_CLASSES, *SERVICE_TIERS))
    words, fix = _words(what, steps, node)
    return PriceTableError(words, where=location(path, data, node), fix=fix)


def locate(node: yaml.Node, steps: Iterable[Step]) -> yaml.Node:
    """The node at `steps`, or the deepest one on the way there."""
    for step in steps:
        found = _child(node, step)
        if found is None:
            return node
        node = found
    return node


def location(path: Path | str, data: bytes, node: yaml.Node) -> Location:
    """Where `node` starts."""
    line = node.start_mark.line
    return Location(str(path), line + 1, node.start_mark.column + 1, line_text(data, line))


def _child(node: yaml.Node, step: Step) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step] if step < len(node.value) else None
    if isinstance(node, yaml.MappingNode) and step == ANY:
        return next((value for _, value in node.value if not _is_decimal(value)), None)
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    return None


def _is_decimal(node: yaml.Node) -> bool:
    try:
        Decimal(node.value)
    except (InvalidOperation, TypeError, ValueError):
        return False
    return True


def _unknown_key(path: Path, data: bytes, node: yaml.Node, name: str, known: Iterable[str]) -> PriceTableError:
    keys = [key for key, _ in node.value if key.value == name] if isinstance(node, yaml.MappingNode) else []
    near = nearest(name, known, 1)
    fix = f"did you mean '{near[0]}'?" if near else f"remove it, or use one of: {', '.join(sorted(known))}"
    return PriceTableError(f"unknown key '{name}'", where=location(path, data, keys[0] if keys else node), fix=fix)


def _field_names() -> set[str]:
    kinds = [value for value in vars(tables).values() if isinstance(value, type) and issubclass(value, tables.Spec)]
    return {field.encode_name for kind in kinds for field in msgspec.structs.fields(kind)}


def _words(what: str, steps: list[Step], node: yaml.Node) -> tuple[str, str | None]:
    """What is wrong at `steps` in a user's words, and what to write instead."""
    here = next((str(step) for step in reversed(steps) if isinstance(step, str) and step != ANY), "table")
    value = f" '{node.value}'" if isinstance(node, yaml.ScalarNode) else ""
    if "missing required field" in what:
        missing = _QUOTED.search(what)
        key = missing[1] if missing else "?"
        return f"{here}: the key '{key}' is missing", f"add `{key}:`"
    if "decimal" in what.lower():
        return f"{here}:{value} is not a number", 'write a decimal per 1M tokens in quotes, such as "2.50"'
    if here in {"from", "to", "checked", "retires"}:
        return f"{here}:{value} is not a date", "write 2026-08-22 (UTC midnight) or 2026-08-22T16:00:00Z"
    if here == "source":
        return "source: has no grade at its head", 'write "B: where it was read" (A vendor, B two tables, C one)'
    if here == "capability_tier":
        return f"{here}:{value} is not known", f"use one of: {', '.join(get_args(tables.CapabilityTier))}"
    return f"{here}:{value} does not fit: {what}", None
