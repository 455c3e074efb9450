"""No record, however broken, makes a format raise or break the invariants of a call."""

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmmigrate.errors import AmbiguousFormatError
from llmmigrate.logs import formats
from llmmigrate.usage.call import Call

CASES = Path(__file__).resolve().parent.parent / "cases"
RECORDS = [
    json.loads(line)
    for path in sorted(CASES.glob("*/in.jsonl"))
    for line in path.read_text(encoding="utf-8").splitlines()
]
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, False, 0, -1, 1, 2.5, float("nan"), float("inf"), 1e308, 10**30, 10**400, "", "x", "NaN", "1e400",
        "9" * 100, "1,200", "2026-13-45T99:99:99Z", "2026-01-15T10:00:0²Z", "\ud800", "x" * 200, "{", "[[]]",
        '{"usage": 3}', "data: {", 'data: {"choices": 3}', 'data: {"type": "message_start"}', "https://[bad", "://",
        [], {}, [None], [{}], [1, "a"], {"usage": {}}, {"error": []}, {"role": 1}, {"choices": [{"delta": 3}]},
    ]
)  # fmt: skip


@st.composite
def broken(draw: st.DrawFn) -> dict[str, Any]:
    """A record of some format with one to four values, at any depth, replaced or left out."""
    record: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(RECORDS)))
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(record))
        if not places:
            break
        parent, key = draw(st.sampled_from(places))
        if isinstance(parent, dict) and draw(st.integers(0, 9)) == 0:
            del parent[key]
        else:
            parent[key] = copy.deepcopy(draw(ODD))
    return record


def _places(value: Any) -> list[tuple[Any, Any]]:
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


@given(broken(), st.booleans())
@settings(max_examples=400, deadline=None)
def test_a_broken_record_is_read_without_raising(record: dict[str, Any], keep_text: bool) -> None:
    try:
        found = formats.detect(record)
    except AmbiguousFormatError:
        return
    if found is not None:
        read = list(found.read(record, keep_text=keep_text))
        assert read
        for slot in read:
            if isinstance(slot, Call):
                check(slot)


def check(call: Call) -> None:
    inside_input = call.cached_input_tokens + call.cache_write_5m_tokens + call.cache_write_1h_tokens
    assert inside_input + call.input_audio_tokens <= call.input_tokens
    assert call.reasoning_tokens + call.output_audio_tokens <= call.output_tokens
    counts = [getattr(call, name) for name in Call.__struct_fields__ if name.endswith("_tokens")]
    assert all(number >= 0 for number in counts)
    assert {int} == {type(number) for number in counts}
    assert call.usage == "known" or not any(counts)
    words = (call.model, call.provider, call.request_id, call.error, call.finish_reason, call.session_id, call.reply)
    assert all(word is None or isinstance(word, str) for word in words)
    assert {type(word) for pair in call.tags.items() for word in pair} <= {str}
    times = [number for number in (call.latency_ms, call.ttft_ms) if number is not None]
    assert all(0 <= number <= 1e10 for number in times)
