"""Every format against its conformance cases: `tests/logs/cases/<name>/in.jsonl` gives `out.json`."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmmigrate.logs import formats
from llmmigrate.logs.formats import NotACall, Slot
from llmmigrate.usage.call import Call

CASES = Path(__file__).resolve().parent.parent / "cases"


def plain(call: Call) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(call))
    return fields


EMPTY = plain(Call())


def told(slot: Slot) -> dict[str, Any]:
    """A slot as `out.json` holds it: what differs from an empty call, or why it is none."""
    if isinstance(slot, NotACall):
        return {slot.kind: slot.reason}
    return {key: value for key, value in plain(slot).items() if value != EMPTY[key]}


@pytest.mark.parametrize("name", formats.names())
def test_a_format_reads_its_cases(name: str) -> None:
    folder = CASES / name
    records = [json.loads(line) for line in (folder / "in.jsonl").read_text(encoding="utf-8").splitlines()]
    read = []
    for record in records:
        found = formats.detect(record)
        assert found is not None and found.NAME == name, record
        read.append([told(slot) for slot in found.read(record, keep_text=False)])
    expected = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    assert expected == read
