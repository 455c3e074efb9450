"""Edits of an update as the new content of price files.

A file written by an update is JSON below comment lines, with one model a line. In a file kept by hand, lines are
inserted and all others stay as they are. Either way the new content is read again before it counts.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import yaml

from llmmigrate.errors import Location, PriceTableError
from llmmigrate.prices.files import read_price_file
from llmmigrate.prices.nodes import read_nodes
from llmmigrate.prices.tables import ModelSpec, PeriodSpec, TableSpec
from llmmigrate.prices.updating import Edit

IMPORTED: Final = "imported"
"""The folder of a whole set of tables that holds the providers which nobody keeps by hand."""
_MACHINE: Final = b"# Written by `llmmigrate prices update`"
_HEAD: Final = 200
"""Bytes in which a written file says so."""


class Origin(NamedTuple):
    """What the head of a written file says of its source."""

    package: str
    version: str
    url: str
    licence: str
    observed: date


def is_whole_set(directory: Path) -> bool:
    """Whether the folder holds all tables, as `pricing/` of this project does, and not only what was updated."""
    return (directory / IMPORTED).is_dir()


def contents(directory: Path, edits: Mapping[str, Edit], origin: Origin) -> dict[Path, bytes]:
    """The files of `directory` that change: path → content. PriceTableError where a file cannot be appended to."""
    found = {}
    for provider, edit in edits.items():
        path = _path(directory, provider)
        before = path.read_bytes() if path.is_file() else b""
        spec = read_target(directory, provider, edit)
        after = applied(spec, edit, origin.observed)
        if not before and not after.models:
            continue  # no file for nothing
        if before and _MACHINE not in before[:_HEAD]:
            text = _inserted(path, before, spec, after) if after != spec else before
        else:
            after = msgspec.structs.replace(after, checked=origin.observed.isoformat())
            text = as_text(after, origin, path).encode()
        _check(path, text, after)
        if text != before:
            found[path] = text
    return found


def read_target(directory: Path, provider: str, edit: Edit) -> TableSpec:
    """The table that an edit is for, as it is in `directory`; only its head where it has no file there yet."""
    path = _path(directory, provider)
    if path.is_file() and path.stat().st_size:
        return _table(path)
    return _frame(edit, directory)


def applied(spec: TableSpec, edit: Edit, observed: date) -> TableSpec:
    """The table with what is appended to it. A model that it does not list yet is listed with what is new of it."""
    models = {model.id: model for model in spec.models}
    for name, periods in edit.periods.items():
        known = models.get(name, ModelSpec(id=name, periods=[]))
        models[name] = msgspec.structs.replace(known, periods=[*known.periods, *periods])
    for name in edit.gone:
        known = models.get(name, ModelSpec(id=name, periods=[]))
        models[name] = msgspec.structs.replace(known, retires=observed.isoformat())
    return msgspec.structs.replace(spec, models=[*models.values(), *edit.models])


def as_text(table: TableSpec, origin: Origin, path: Path) -> str:
    """The text of a written file: provenance, licence, then JSON with one model a line."""
    schema = ["# yaml-language-server: $schema=../schema.json"] if path.parent.name == IMPORTED else ["#"]
    head = [
        *schema,
        f"{_MACHINE.decode()}; do not edit.",
        f"# Source: {origin.package} {origin.version}, {origin.url}",
        f"# Observed: {origin.observed}",
        *(f"# {line}".rstrip() for line in origin.licence.strip().splitlines()),
    ]
    fields = msgspec.to_builtins(table, str_keys=True)
    models = [msgspec.json.encode(model).decode() for model in fields.pop("models")]
    body = re.sub(r"\}$", ',"models":[', msgspec.json.encode({"schema": 1, **fields}).decode())
    return "\n".join([*head, body, ",\n".join(models), "]}", ""])


def _path(directory: Path, provider: str) -> Path:
    """Where a provider's prices are kept: where they are, else where new ones belong."""
    own, imported = directory / f"{provider}.yaml", directory / IMPORTED / f"{provider}.yaml"
    return imported if not own.is_file() and is_whole_set(directory) else own


def _frame(edit: Edit, directory: Path) -> TableSpec:
    """The head of a new file; where it only adds to a table that is elsewhere, it is as short as can be."""
    empty = msgspec.structs.replace(edit.frame, models=[])
    if is_whole_set(directory):
        return empty
    return TableSpec(schema=1, provider=empty.provider, currency="USD", models=[])


def _table(path: Path) -> TableSpec:
    table = read_price_file(path).table
    if table is None:
        raise PriceTableError("this is no price table", where=Location(str(path)), fix="name another folder")
    return table


def _check(path: Path, text: bytes, expected: TableSpec) -> None:
    """PriceTableError unless the text is a sound table that says what it should."""
    where = Location(str(path)) if path.is_file() else None
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        draft.write_bytes(text)
        try:
            found = read_price_file(draft).table
        except PriceTableError as error:  # its place is one in the draft, which nobody has
            what = f"the table of {expected.provider} would be unusable after the update: {error.what}"
            fix = "leave this provider out: name the others with --provider"
            raise PriceTableError(what, where=where, why=error.why, fix=fix) from None
    if found is None or _said(found) != _said(expected):
        fix = "append the period by hand: llmmigrate prices update --dry-run shows it"
        raise PriceTableError("lines cannot be inserted into this file", where=where, fix=fix)


def _said(table: TableSpec) -> Any:
    return msgspec.to_builtins(table)


def _inserted(path: Path, data: bytes, before: TableSpec, after: TableSpec) -> bytes:
    """The file with the lines of new periods and models; from the end on, so that line numbers stay true."""
    lines = data.decode("utf-8").split("\n")
    models = _member(read_nodes(path, data), "models")
    places = [(_last_line(models), list(_new_models(before, after, _column(models))))]
    for node, old, new in zip(models.value, before.models, after.models, strict=False):
        periods = _member(node, "periods")
        added = new.periods[len(old.periods) :]
        if added and not periods.flow_style:
            text = [line for period in added for line in _block(period, _column(periods))]
            places.append((_last_line(periods), text))
    for place, text in sorted(places, key=lambda item: item[0], reverse=True):
        lines[place + 1 : place + 1] = text
    return "\n".join(lines).encode()


def _new_models(before: TableSpec, after: TableSpec, column: int) -> Iterator[str]:
    for model in after.models[len(before.models) :]:
        yield from _block(model, column)


def _block(spec: PeriodSpec | ModelSpec, column: int) -> Iterator[str]:
    """An item of a list: one line a key, its value in flow style."""
    lead = " " * column + "- "
    for key, value in msgspec.to_builtins(spec, str_keys=True).items():
        if key == "periods":
            yield f"{lead}periods:"
            for period in getattr(spec, "periods", ()):
                yield from _block(period, column + 4)
        else:
            yield f"{lead}{key}: {_flow(value)}"
        lead = " " * (column + 2)


def _flow(value: Any) -> str:
    """A value as YAML in one line: JSON whose keys need no quotes."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return value
    return re.sub(r'"(\w+)": ', r"\1: ", json.dumps(value, ensure_ascii=False))


def _member(node: yaml.Node, key: str) -> yaml.SequenceNode:
    """The list that stands under a key; a table was read from the node, so it is there."""
    for name, value in node.value:
        if name.value == key and isinstance(value, yaml.SequenceNode):
            return value
    raise AssertionError(f"a table without {key} was read")


def _column(node: yaml.Node) -> int:
    return int(node.start_mark.column)


def _last_line(node: yaml.Node) -> int:
    """The 0-based line on which the last scalar in the node ends."""
    if isinstance(node, yaml.ScalarNode) or not node.value:
        return int(node.end_mark.line)
    last = node.value[-1]
    return max(_last_line(part) for part in (last if isinstance(last, tuple) else (last,)))
