"""Prometheus text, as much of it as counts need."""

import re
from collections.abc import Iterator
from typing import Final

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([0-9.eE+-]+|[+-]?Inf|NaN)(?: [0-9]+)?")
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')

Sample = tuple[str, dict[str, str], float]
"""Name, labels and value."""


def samples(text: str) -> Iterator[Sample]:
    """Name, labels and value of every sample; lines that are none are passed over."""
    for line in text.splitlines():
        match = _SAMPLE.fullmatch(line.strip())
        if match is not None:
            yield match[1], dict(_LABEL.findall(match[2] or "")), float(match[3])
