"""Text from logs made harmless."""

import json

from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.reports.escape import json_safe, visible, visible_lines

HOSTILE = "a\x1b[31m\x07\r\n\x9b1m\u202e\u2066\u200b\u2028\ufeff\ud800\U000e0041z"


def test_what_hides_is_shown() -> None:
    assert visible(HOSTILE) == (r"a\x1b[31m\x07\r\n\x9b1m\u202e\u2066\u200b\u2028\ufeff\ud800\U000e0041z")


def test_ordinary_text_of_any_script_stays() -> None:
    text = "gpt-4o 模型 café — “ok” 😀 [bold]x[/bold]"
    assert visible(text) == text


def test_lines_of_ours_stay_lines() -> None:
    assert visible_lines("a\nb\tc") == "a\nb\\tc"


@given(st.text(st.characters(), max_size=40))
def test_json_text_means_the_same(text: str) -> None:
    assert json.loads(json_safe(json.dumps(text, ensure_ascii=False))) == text


@given(st.text(st.characters(), max_size=40))
def test_nothing_visible_has_a_control(text: str) -> None:
    assert visible(text).isprintable() or not any(char < " " or "\x7f" <= char <= "\x9f" for char in visible(text))
