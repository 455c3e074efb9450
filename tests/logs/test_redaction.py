"""Personal data and secrets do not reach the disk; everything else does, unchanged."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.logs import redaction
from llmmigrate.logs.redaction import redacted, redacted_text

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"


def token(alphabet: str, least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(alphabet), min_size=least, max_size=most)


def with_check_digit(digits: str) -> str:
    """The number with its Luhn digit, found by trying (the code under test computes it)."""

    def total(number: str) -> int:
        return sum(
            int(sign) if place % 2 == 0 else sum(map(int, str(2 * int(sign))))
            for place, sign in enumerate(reversed(number))
        )

    return next(digits + last for last in DIGITS if total(digits + last) % 10 == 0)


emails = st.builds(
    "{}@{}.{}".format, token(LETTERS + DIGITS + "._+-", 1, 20), token(LETTERS + DIGITS, 1, 20), token(LETTERS, 2, 6)
)
keys = st.one_of(
    token(LETTERS + DIGITS + "_-", 20, 60).map("sk-{}".format),
    token(LETTERS + DIGITS, 36, 36).map("ghp_{}".format),
    token(DIGITS + "ABCDEFGHIJ", 16, 16).map("AKIA{}".format),
    token(LETTERS + DIGITS, 30, 60).map("Bearer {}".format),
    token(LETTERS + DIGITS + "!#%", 6, 30).map("api_key={}".format),
)
cards = st.builds(
    lambda digits, gap: gap.join(re.findall(".{1,4}", with_check_digit(digits))),
    token(DIGITS, 14, 17).map("4{}".format),
    st.sampled_from(["", " ", "-"]),
)
phones = st.one_of(
    st.builds("+{} {} {}".format, st.integers(1, 999), st.integers(10, 999), st.integers(10_000, 9_999_999)),
    st.builds("{}-{}-{}".format, st.integers(200, 999), st.integers(100, 999), st.integers(1000, 9999)),
)
addresses = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str).filter(lambda ip: ip.count(":") > 2 or any(sign.isdigit() for sign in ip)),
)
personal = st.one_of(
    st.tuples(st.just("[email]"), emails),
    st.tuples(st.just("[key]"), keys),
    st.tuples(st.just("[card]"), cards),
    st.tuples(st.just("[phone]"), phones),
    st.tuples(st.just("[ip]"), addresses),
)
around = st.sampled_from(["", " ", "\n", "call ", "(", ", ", "see: ", "…"])
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(personal, around, st.sampled_from(["", " ", "\n", ", ok", ")", ". Then"]))
def test_what_is_personal_goes(found: tuple[str, str], before: str, after: str) -> None:
    mark, secret = found
    shown = redacted_text(f"{before}{secret}{after}")
    assert mark in shown or "[card]" in shown  # a long phone number may have the check digit of a card
    assert secret.removeprefix("Bearer ").removeprefix("api_key=") not in shown


@given(personal, st.text(max_size=40), st.text(max_size=40))
def test_redacting_again_changes_nothing(found: tuple[str, str], before: str, after: str) -> None:
    once = redacted_text(f"{before} {found[1]} {after}")
    assert redacted_text(once) == once


@given(st.text())
def test_any_text_is_redacted_once_for_all(text: str) -> None:
    once = redacted_text(text)
    assert redacted_text(once) == once


@given(
    st.one_of(personal.map(lambda found: found[1]), st.text(max_size=30)),
    st.text(st.sampled_from(" .-+()/:=@_0123456789abkeysKEYS\u0663\uff17é🙂"), max_size=60),
    st.text(max_size=20),
)
def test_what_saves_work_hides_nothing(found: str, before: str, after: str) -> None:
    text = slow = f"{before}{found}{after}"
    for rule in redaction._RULES:
        slow = rule.pattern.sub(rule.replace, slow)
    assert redacted_text(text) == (text if text.isalpha() else slow)


@given(json_values)
def test_the_shape_of_json_stays(value: Any) -> None:
    def shape(item: Any) -> Any:
        if isinstance(item, dict):
            return [shape(inner) for inner in item.values()]
        return [shape(inner) for inner in item] if isinstance(item, list) else None

    found = redacted(value)
    assert shape(found) == shape(value)
    json.dumps(found)


@given(personal, st.integers(0, 3))
def test_nothing_personal_hides_deep_in_json(found: tuple[str, str], depth: int) -> None:
    secret = found[1]
    value: Any = {"messages": [{"content": [{"text": f"It is {secret}"}]}], f"for {secret}": 1}
    for _ in range(depth):
        value = {"inner": [value, {"arguments": json.dumps(value, ensure_ascii=False)}]}
    bare = secret.removeprefix("Bearer ").removeprefix("api_key=")
    assert bare not in json.dumps(redacted(value), ensure_ascii=False)


def test_keys_that_become_equal_stay_apart() -> None:
    assert redacted({"a@x.org": 1, "b@x.org": 2, "c": 3}) == {"[email]": 1, "[email] 2": 2, "c": 3}


def test_a_card_as_a_number() -> None:
    assert redacted({"card": 4111111111111111, "id": 4111111111111112, "n": 0, "yes": True}) == {
        "card": "[card]", "id": 4111111111111112, "n": 0, "yes": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "The answer is 42, as of 2026-11-22 05:56:29.",
        "order 12345678901234, invoice 4111111111111112",
        "version 1.2.3, 0.4111111111111111, 3.14e10",
        "std::vector<a::b> and 10:20:30 and ::",
        "x@y, @decorator, a @ b",
        "ask-me-anything-about-skiing, task-0123456789abcdef0123",
        "token count: 12, secret: no",
        "ISBN 978-3-16-148410-0",
        "bearer of bad news, basic facts",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redacted_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nbye", "[key]\nbye"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", "[key]"),
        ("data:image/png;base64," + "iVBORw0KGgo" * 20, "[data image/png]"),
        ("A" * 600 + " end", "[data] end"),
        ('{"password": "correct-horse"}', '{"password": "[key]"}'),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "[key]"),
        ("[::1]:8080 and ::ffff:192.168.0.1", "[[ip]]:8080 and [ip]"),
        ("ping 10.0.0.7.", "ping [ip]."),
        ("(555) 123-4567 or 1-555-123-4567 or 0049 170 1234567", "[phone] or [phone] or [phone]"),
    ],
)
def test_what_takes_its_place(text: str, shown: str) -> None:
    assert redacted_text(text) == shown


def test_addresses_of_every_kind() -> None:
    for address in ("192.0.2.1", "2001:db8::1", "fe80::1ff:fe23:4567:890a", "::1"):
        assert redacted_text(f"from {address}") == "from [ip]"


@pytest.mark.parametrize(
    "piece", ["a@", "a.", "1 ", "+1", "f:", "eyJaaaaaaaaa.", "password", "data:a/b;c=d", "bearer "]
)
def test_no_text_takes_long(piece: str) -> None:
    """A pattern that backtracks would take hours here; nothing is timed, the test would just not end."""
    redacted_text(piece * (200_000 // len(piece)))
