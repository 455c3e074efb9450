"""YAML as typed records, with a line and a column for every error.

A record is a frozen dataclass or a `msgspec.Struct`. Its fields may be texts, whole numbers, flags, literals, sequences
(`tuple[X, ...]`), mappings (`dict[str, X]`), other records, any of them or None, unions of a literal and a record, and
whatever an annotation `Annotated[T, Written(parse, …)]` can parse from the text as written. Unknown keys, keys given
twice and values of another kind are errors; an empty value is as good as none. A trailing underscore of a field's name
is not part of its key (`from_` is `from`).
"""

import dataclasses
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml

from llmmigrate.annotations import About, Written, key_of
from llmmigrate.errors import ConfigError, Location, nearest

Node = yaml.Node

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SECRET: Final = re.compile(
    r"\b(?:[spr]k-[\w-]{16,}|(?:hf|gsk|ghp|r8|fw)_\w{16,}|(?:xai|csk|nvapi|pplx|glpat)-[\w-]{20,}"
    r"|AIza[\w-]{30,}|AKIA[A-Z0-9]{16}|eyJ[\w-]{10,}\.[\w-]+\.|[0-9a-f]{32}(?:\.\w{16})?\b)|\bBearer\s+\S{16,}"
)


@dataclass(frozen=True, slots=True)
class Source:
    """A text of YAML and what errors call the place it came from."""

    text: str
    name: str
    key: str = "api_key_env: NAME"
    """How the files of this kind name the variable that holds a key."""

    def at(self, node: Node) -> Location:
        """Where `node` begins, with its line unless that could show a secret."""
        return self.place(node.start_mark.line, node.start_mark.column)

    def place(self, line: int, column: int) -> Location:
        """The location of a 0-based line and column."""
        lines = self.text.splitlines()
        text = lines[line] if line < len(lines) else ""
        return Location(self.name, line + 1, column + 1, None if looks_secret(text) else text)


def compose(source: Source) -> Node | None:
    """The node tree of a text, None for an empty one. ConfigError for malformed YAML and for values like API keys."""
    try:
        node: Node | None = yaml.compose(source.text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = source.place(mark.line, mark.column) if mark else Location(source.name)
        raise ConfigError("this is not YAML", where=where, why=error.problem, code="yaml") from None
    except yaml.YAMLError as error:
        raise ConfigError("this is not YAML", where=Location(source.name), why=str(error), code="yaml") from None
    if node is None:
        return None
    try:
        refuse_secrets(node, source)
    except RecursionError:
        why = "a value is a part of itself, or the lists in it have no end"
        raise ConfigError("this is no settings file", where=Location(source.name), why=why, code="yaml") from None
    return node


def looks_secret(text: str) -> bool:
    """Whether a text holds what looks like an API key or a token."""
    return _SECRET.search(text) is not None


def refuse_secrets(node: Node, source: Source) -> None:
    """ConfigError, which does not show it, if any text in the tree looks like an API key."""
    for scalar in _scalars(node):
        if looks_secret(scalar.value):
            mark = scalar.start_mark
            raise ConfigError(
                "this value looks like an API key",
                where=Location(source.name, mark.line + 1, mark.column + 1),
                why="keys do not belong in files that are shared; this one was neither stored nor shown",
                fix=f"put it into an environment variable and write that variable's name: {source.key}",
                code="secret",
            )


def entries(node: Node, source: Source) -> dict[str, Node]:
    """The values of a mapping by key, without empty ones. ConfigError for other nodes and for a key given twice."""
    if is_empty(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError("keys and values are expected here", where=source.at(node), fix="write key: value")
    found: dict[str, Node] = {}
    for key, value in node.value:
        name = _text(key, source)
        if name in found:
            raise ConfigError(f"key '{name}' is given twice", where=source.at(key), fix="keep one of them")
        found[name] = value
    return {name: value for name, value in found.items() if not is_empty(value)}


def known_entries(node: Node, record: Any, source: Source) -> dict[str, Node]:
    """Like `entries`, by the field names of `record`. ConfigError, with the nearest key, for an unknown key."""
    by_key = {key_of(name): name for name in required_by_field(record)}
    found = entries(node, source)
    for key in _keys(node):
        if key.value not in by_key:
            near = nearest(key.value, by_key)
            fix = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(by_key)}"
            raise ConfigError(f"unknown key '{key.value}'", where=source.at(key), fix=fix, code="unknown_key")
    return {by_key[key]: value for key, value in found.items()}


def convert(node: Node, kind: Any, source: Source) -> Any:
    """The value of `node` as the annotation `kind` has it. ConfigError, with the place, if it cannot be one."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        how = next((mark for mark in arguments if isinstance(mark, Written)), None)
        return _parsed(node, how, source) if how is not None else convert(node, arguments[0], source)
    if origin in (Union, types.UnionType):
        return convert(node, _fitting(node, arguments), source)
    if origin is tuple:
        return _sequence(node, arguments[0], source)
    if origin is dict:
        return {key: convert(value, arguments[1], source) for key, value in entries(node, source).items()}
    if is_record(kind):
        return _record(node, kind, source)
    return _scalar(node, kind, source)


def is_record(kind: Any) -> bool:
    """Whether a type has fields of its own."""
    return dataclasses.is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))


def required_by_field(record: Any) -> dict[str, bool]:
    """A record's fields, and whether each must be given."""
    if not dataclasses.is_dataclass(record):
        return {field.name: field.required for field in msgspec.structs.fields(record)}
    without = dataclasses.MISSING
    fields = dataclasses.fields(record)
    return {field.name: field.default is without and field.default_factory is without for field in fields}


def is_empty(node: Node) -> bool:
    """Whether a value is left out: nothing, `null` or `~`."""
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _record(node: Node, kind: Any, source: Source) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    found = known_entries(node, kind, source)
    missing = [name for name, required in required_by_field(kind).items() if required and name not in found]
    if missing:
        raise ConfigError(f"key '{key_of(missing[0])}' is missing", where=source.at(node))
    return kind(**{name: convert(value, hints[name], source) for name, value in found.items()})


def _parsed(node: Node, how: Written, source: Source) -> Any:
    try:
        return how.parse(_text(node, source))
    except ValueError as error:
        raise ConfigError(str(error), where=source.at(node)) from None


def _fitting(node: Node, kinds: tuple[Any, ...]) -> Any:
    """The member of a union that a node of this shape can be: a record for a mapping, else the other one."""
    present = [kind for kind in kinds if kind is not type(None)]
    wants_record = isinstance(node, yaml.MappingNode)
    return next((kind for kind in present if is_record(kind) == wants_record), present[0])


def _sequence(node: Node, kind: Any, source: Source) -> tuple[Any, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise ConfigError("a list is expected here", where=source.at(node), fix="write [a, b]")
    return tuple(convert(item, kind, source) for item in node.value)


def _scalar(node: Node, kind: Any, source: Source) -> Any:
    text = _text(node, source)
    if kind is str:
        return text
    if kind is int and re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
        return int(text)
    if kind is bool and node.tag == "tag:yaml.org,2002:bool":
        return text.lower() in ("true", "yes", "on")
    if get_origin(kind) is Literal and text in get_args(kind):
        return text
    _refuse(text, node, kind, source)


def _refuse(text: str, node: Node, kind: Any, source: Source) -> NoReturn:
    if get_origin(kind) is Literal:
        near = nearest(text, get_args(kind))
        fix = f"did you mean '{near[0]}'?" if near else f"choose one of: {', '.join(get_args(kind))}"
        raise ConfigError(f"'{text}' is not known here", where=source.at(node), fix=fix)
    expected = {int: "a whole number", bool: "true or false"}[kind]
    raise ConfigError(f"'{text}' is not {expected}", where=source.at(node), fix=f"write {expected}")


def _text(node: Node, source: Source) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigError("a single value is expected here", where=source.at(node))
    return str(node.value)


def _keys(node: Node) -> list[Node]:
    return [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []


def _scalars(node: Node) -> Iterator[yaml.ScalarNode]:
    match node:
        case yaml.ScalarNode():
            yield node
        case yaml.SequenceNode():
            for item in node.value:
                yield from _scalars(item)
        case yaml.MappingNode():
            for key, value in node.value:
                yield from _scalars(key)
                yield from _scalars(value)


def json_schema(record: type) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the files that `record` describes."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": _title(record), **_schema(record)}


def _schema(kind: Any) -> dict[str, Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated_schema(arguments[0], arguments[1:])
    if origin in (Union, types.UnionType):
        members = [_schema(member) for member in arguments if member is not type(None)]
        return members[0] if len(members) == 1 else {"anyOf": members}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if origin is Literal:
        return {"enum": list(arguments)}
    if is_record(kind):
        return _record_schema(kind)
    return {"type": _JSON_NAMES[kind]}


def _annotated_schema(kind: Any, marks: tuple[Any, ...]) -> dict[str, Any]:
    how = next((mark for mark in marks if isinstance(mark, Written)), None)
    about = next((mark for mark in marks if isinstance(mark, About)), None)
    schema = {"type": list(how.json_type), "examples": [how.example]} if how else _schema(kind)
    return schema | ({"description": about.text} if about else {})


_JSON_NAMES: Final[Mapping[Any, str]] = {str: "string", int: "integer", bool: "boolean"}


def _record_schema(record: Any) -> dict[str, Any]:
    hints = get_type_hints(record, include_extras=True)
    fields = {key_of(name): _schema(hint) for name, hint in hints.items()}
    required = [key_of(name) for name, needed in required_by_field(record).items() if needed]
    schema = {"type": "object", "description": _title(record), "properties": fields, "additionalProperties": False}
    return schema | ({"required": required} if required else {})


def _title(record: type) -> str:
    return (record.__doc__ or "").splitlines()[0]
