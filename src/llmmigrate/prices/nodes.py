"""YAML as a tree that knows its places, and as plain values.

Scalars are taken as text: a rate keeps every digit that was written, and a date stays a date.
"""

from pathlib import Path
from typing import Any

import yaml

from llmmigrate.errors import Location, PriceTableError


class _TextLoader(yaml.CBaseLoader):
    """Every scalar is text, so no tag has to be resolved: that alone is a third of the reading time."""

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str:
        return "tag:yaml.org,2002:str"

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """Nothing to resolve."""

    def ascend_resolver(self) -> None:
        """Nothing to resolve."""


def read_nodes(path: Path, data: bytes) -> yaml.Node:
    """The YAML node tree of `data`, which knows lines and columns."""
    try:
        node = yaml.compose(data, Loader=_TextLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Location(str(path), mark.line + 1, mark.column + 1, line_text(data, mark.line)) if mark else None
        raise PriceTableError(f"not valid YAML: {error.problem or error}", where=where) from None
    except yaml.YAMLError as error:
        raise PriceTableError(f"not valid YAML: {error}", where=Location(str(path))) from None
    if node is None:
        raise PriceTableError("the price table is empty", where=Location(str(path), 1), fix="start with `schema: 1`")
    return node


def plain_value(path: Path, node: yaml.Node) -> Any:
    """The node as dicts, lists and strings; an empty value, `~` and `null` are None. A key that repeats is refused."""
    if isinstance(node, yaml.ScalarNode):
        return None if node.style is None and node.value in ("", "~", "null") else node.value
    if isinstance(node, yaml.SequenceNode):
        return [plain_value(path, item) for item in node.value]
    found = {key.value: plain_value(path, value) for key, value in node.value}
    if len(found) != len(node.value):
        raise _repeated(path, node)
    return found


def _repeated(path: Path, node: yaml.Node) -> PriceTableError:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen:
            where = Location(str(path), key.start_mark.line + 1, key.start_mark.column + 1)
            return PriceTableError(f"the key '{key.value}' is written twice", where=where, fix="remove one of the two")
        seen.add(key.value)
    raise AssertionError("no key repeats")


def line_text(data: bytes, line: int) -> str | None:
    """The text of a 0-based line."""
    lines = data.decode("utf-8", "replace").split("\n")
    return lines[line] if line < len(lines) else None
