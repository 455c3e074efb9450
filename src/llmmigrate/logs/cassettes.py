"""YAML documents among the logs: the cassettes of vcrpy, the only log that is written so."""

import re
from collections.abc import Iterator
from typing import Any, Final

from llmmigrate.logs.records import Record

_BEGINS: Final = re.compile(
    rb"\s*(?:---\s*\n)?(?:#[^\n]*\n)*(?:interactions:|version: ?\d+\s*\n(?:\S.*\n)*?interactions:)"
)


def is_cassette(head: bytes) -> bool:
    """Whether a text begins as a cassette."""
    return _BEGINS.match(head) is not None


def cassette(data: bytes) -> Iterator[Record]:
    """The one record that a cassette is; a reject where it is no YAML."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        value = yaml.load(data, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        yield Record(None, 1, "invalid_yaml", (), data[:4096])
        return
    if not isinstance(value, dict):
        yield Record(None, 1, "not_an_object", (), data[:4096])
        return
    yield Record(value, 1, None, (), b"")
