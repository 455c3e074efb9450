"""The generated benchmark log."""

import json
from datetime import datetime

from benchmarks.make_logs import DAYS, make_lines


def test_the_same_number_of_lines_is_the_same_log() -> None:
    assert list(make_lines(500)) == list(make_lines(500))


def test_lines_are_about_240_bytes_of_ascii() -> None:
    text = "".join(make_lines(2000))
    assert text.isascii()
    assert 225 < len(text) / 2000 < 255


def test_calls_are_in_order_of_time_over_181_days() -> None:
    times = [json.loads(line)["timestamp"] for line in make_lines(2000)]
    span = datetime.fromisoformat(times[-1]) - datetime.fromisoformat(times[0])
    assert times == sorted(times)
    assert span.days == DAYS - 1


def test_every_call_has_its_own_identity_and_one_of_twelve_models() -> None:
    records = [json.loads(line) for line in make_lines(5000)]
    assert len({record["request_id"] for record in records}) == 5000
    assert len({record["model"] for record in records}) == 12


def test_cached_tokens_are_part_of_the_prompt() -> None:
    records = [json.loads(line) for line in make_lines(5000)]
    assert all(record["cached_input_tokens"] <= record["input_tokens"] for record in records)
    assert any(record["cached_input_tokens"] for record in records)
