"""Profiles as plain values, to compare them part by part."""

import gzip
import json
from pathlib import Path
from typing import Any

from llmmigrate.logs.reader import ReadOptions, read
from llmmigrate.usage import store
from llmmigrate.usage.profile import Profile

PARTS = ("cells", "sketches", "sessions", "load", "first_ns", "last_ns")


def document(profile: Profile) -> dict[str, Any]:
    """A profile as it is saved."""
    data = store.dump(profile)
    text: dict[str, Any] = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    return text


def content(profile: Profile) -> dict[str, Any]:
    """What a profile says of its calls: everything but where they came from."""
    saved = document(profile)
    return {part: saved[part] for part in PARTS}


def counts(profile: Profile) -> dict[str, Any]:
    """The accounting without places and sources."""
    saved = document(profile)
    tallies = {name: {code: tally["count"] for code, tally in saved[name].items()} for name in ("rejects", "warnings")}
    return {"lines": saved["lines"], **tallies}


def read_bytes(folder: Path, data: bytes, options: ReadOptions, name: str = "log.jsonl") -> Profile:
    """The profile of a file of these bytes."""
    path = folder / name
    path.write_bytes(data)
    return read([str(path)], options)
