"""Generated call logs for property tests: flat records as they are met in the wild, clean and dirty."""

import json
from typing import Any

from hypothesis import strategies as st

MODELS = ["gpt-4o", "o3", "deepseek/deepseek-chat", "my-deployment", "gpt-4o\x1b[2J", "模型", None, ""]
SIZES = [0, 1, 2, 100, 8192, 8193, 199_999, 200_000, 200_001, 272_001, 1_000_000, 1_000_000_001]
EPOCH = 1_768_471_200
"""2026-01-15T10:00:00Z."""

whole = st.sampled_from(SIZES) | st.integers(0, 3000)
dirty_count: st.SearchStrategy[Any] = st.sampled_from(
    [None, "100", "1,200", "6e1", 100.0, 1.5, -3, True, "x", float("nan"), 10**400, [1], {}]
)
count = whole | dirty_count
cost = st.none() | st.integers(0, 5) | st.floats(0, 3) | st.sampled_from(["0.25", -1.5, 1e9, "x", 0.1, float("inf")])
duration = st.none() | st.integers(0, 5000) | st.floats(0, 1e7) | st.sampled_from(["12", -5, "x", 900_000.5, True])
short = st.sampled_from(["s1", "s2", "", "é", "\ud800", "x" * 200, "no\nline", "true"])
tag = short | st.booleans() | st.none() | st.integers(0, 3) | st.floats(0, 1) | st.just([1])
statuses = st.sampled_from([200, "ok", 429, 500, 504, "error", True, None, 0, "200", 200.0, "timeout", {"x": 1}])
errors: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "rate_limit", "timeout", False, True, {"code": "x"}, 0, 1, [], "Connection lost"]
)


@st.composite
def timestamps(draw: st.DrawFn) -> Any:
    """An instant within two days, in one of its spellings."""
    second = EPOCH + draw(st.sampled_from([0, 1, 50_399, 50_400, 86_399, 100_000, 172_000]))
    text = f"2026-01-{15 + (second - EPOCH + 36_000) // 86_400:02d}T{(second // 3600) % 24:02d}:{second // 60 % 60:02d}"
    text += f":{second % 60:02d}"
    return draw(
        st.sampled_from([
            f"{text}Z", f"{text}.5Z", f"{text}.123456Z", f"{text}.123456789Z", text, f"{text}+02:00", second,
            second * 1000 + 7, str(second), f"{text[:10]} {text[11:]}", "yesterday", None, "2026-02-30T00:00:00Z",
            "1999-01-01T00:00:00Z", "2031-01-01T00:00:00Z", "2026-01-15T23:59:60Z", "", 0, "2026-01-15",
        ])
    )  # fmt: skip


@st.composite
def clean_records(draw: st.DrawFn) -> dict[str, Any]:
    """A regular flat record."""
    size = draw(whole.filter(lambda value: value <= 10**9))
    second = draw(st.integers(0, 200_000))
    hour, minute = second // 3600 % 24, second // 60 % 60
    return {
        "timestamp": f"2026-01-{15 + second // 86_400:02d}T{hour:02d}:{minute:02d}:{second % 60:02d}Z",
        "model": draw(st.sampled_from(MODELS[:4])),
        "input_tokens": size,
        "cached_input_tokens": draw(st.integers(0, size)),
        "output_tokens": draw(st.integers(0, 3000)),
    }


EXTRAS: dict[str, st.SearchStrategy[Any]] = {
    "request_id": st.sampled_from(["a", "b", "c", "", 7, None]),
    "provider": st.sampled_from(["openai", "OpenAI", "azure", None, ""]),
    "service_tier": st.sampled_from(["standard", "default", "batch", "auto", None, "odd tier", "FLEX"]),
    "cache_write_5m_tokens": count,
    "cache_write_1h_tokens": count,
    "reasoning_tokens": count,
    "attempt": st.sampled_from([1, 2, None, "3", 1.5]),
    "latency_ms": duration,
    "ttft_ms": duration,
    "status": statuses,
    "error": errors,
    "finish_reason": st.sampled_from(["stop", None, 3, "length"]),
    "session_id": short | st.none(),
    "estimated_cost_usd": cost,
    "team": tag,
    "route": tag,
    "prompt": short,
    "messages": st.sampled_from([[], [{"role": "user", "content": "hi"}], "text", None]),
    "unknown key": tag,
    "data": st.sampled_from([[], [1], [{"a": 1}], None]),
}
DIRTY: dict[str, st.SearchStrategy[Any]] = {
    "timestamp": timestamps(),
    "model": st.sampled_from([*MODELS, 5, ["x"]]),
    "input_tokens": count,
    "cached_input_tokens": count,
    "output_tokens": count,
}


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """A flat record: regular, with further fields, a few of them odd, some missing."""
    record = draw(clean_records())
    for name in draw(st.lists(st.sampled_from([*EXTRAS, *EXTRAS, *DIRTY]), max_size=5)):
        record[name] = draw({**EXTRAS, **DIRTY}[name])
    for name in draw(st.lists(st.sampled_from(list(record)), max_size=1)):
        del record[name]
    return record


def line(record: dict[str, Any]) -> bytes:
    """A record as one line, without its newline."""
    return json.dumps(record, ensure_ascii=True).encode()


NO_RECORDS = [
    b"", b"  ", b"{", b'{"model": "o3", "input_tok', b"[]", b"[1, 2]", b"null", b"7", b"\0\0\0", b'{"a": 1}', b"x,y",
    b'{"model": "o3", "input_tokens": 1, "output_tokens": 1, "prompt": "\xff"}', b"\r",
]  # fmt: skip


@st.composite
def logs(draw: st.DrawFn, most: int = 12) -> bytes:
    """A log of some lines: a few shapes that repeat, repeated records, and lines that are no record."""
    shapes = draw(st.lists(records(), min_size=1, max_size=4))
    lines = [
        draw(
            st.sampled_from(list(map(line, shapes)))
            | records().map(line)
            | clean_records().map(line)
            | st.sampled_from(NO_RECORDS)
        )
        for _ in range(draw(st.integers(1, most)))
    ]
    return b"\n".join(lines) + draw(st.sampled_from([b"\n", b""]))
