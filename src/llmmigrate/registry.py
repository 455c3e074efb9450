"""Finds a thing by its name: one file in one folder, or an entry point of another package.

A room is a package of llmmigrate that holds nothing but such files: `logs.formats`, `reports.formats`. Its plugins are
the modules and packages in it whose names do not start with an underscore, and the entry points of the group
`llmmigrate.<room>`; those of llmmigrate itself win. Nothing is imported before it is used.
"""

import pkgutil
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmmigrate.errors import unknown_name

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def names(room: str) -> list[str]:
    """The names of all plugins of `room`, sorted; imports none of them."""
    return sorted({*_built_in(room), *_installed(room)})


def has(room: str, name: str) -> bool:
    """Whether `room` has a plugin `name`; looks for other packages' only when it has none of its own."""
    return name in _built_in(room) or name in _installed(room)


def load(room: str, name: str) -> Any:
    """The module (or what the entry point names) of the plugin `name`.

    Raises UnknownNameError, with the nearest name, when there is none.
    """
    if name in _built_in(room):
        return import_module(f"llmmigrate.{room}.{name}")
    if name in _installed(room):
        return _installed(room)[name].load()
    raise unknown_name(_kind(room), name, names(room))


@cache
def _built_in(room: str) -> frozenset[str]:
    spec = find_spec(f"llmmigrate.{room}")
    places = spec.submodule_search_locations if spec is not None else None
    if places is None:
        raise ValueError(f"llmmigrate has no room '{room}'")
    return frozenset(module.name for module in pkgutil.iter_modules(places) if not module.name.startswith("_"))


@cache
def _installed(room: str) -> dict[str, "EntryPoint"]:
    if not _anyone_offers(room):
        return {}
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=f"llmmigrate.{room}")}


def _anyone_offers(room: str) -> bool:
    """Whether any installed package names the group at all: cheaper to look for than to import importlib.metadata."""
    group = f"[llmmigrate.{room}]".encode()
    offers = (file for place in sys.path for file in Path(place or ".").glob("*-info/entry_points.txt"))
    return any(group in file.read_bytes() for file in offers)


def _kind(room: str) -> str:
    """How an error calls a thing of `room`: `logs.formats` → `log format`."""
    return " ".join(word.removesuffix("s") for word in room.split("."))
