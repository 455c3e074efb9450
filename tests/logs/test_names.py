"""Names, tiers, tags and error classes of a record."""

from typing import Any

import pytest

from llmmigrate.logs import names


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, None, None),
        ("ok", None, None),
        ("success", "", None),
        (None, {}, None),
        (200, "None", None),
        (429, None, "429"),
        ("503", None, "503"),
        (408, "timeout", "timeout"),
        (200, {"code": "content_filter", "message": "the prompt"}, "content_filter"),
        (200, {"code": None, "type": "invalid_request_error"}, "invalid_request_error"),
        (500, "Traceback: the prompt was …", "500"),
        ("failed", None, "error"),
        (None, "Traceback: the prompt was …", "error"),
        ("timeout", None, "timeout"),
        (False, None, "error"),
        (True, None, None),
        (None, True, "error"),
    ],
)
def test_an_error_is_a_short_class_and_never_a_message(status: Any, body: Any, expected: str | None) -> None:
    assert expected == names.error(status, body)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "standard"), ("", "standard"), ("default", "standard"), ("AUTO", "standard"), ("on_demand", "standard"),
        ("ON_DEMAND_FLEX", "flex"), ("Batch", "batch"), ("priority", "priority"), ("scale", "scale"), (3, "standard"),
    ],
)  # fmt: skip
def test_tiers_have_one_name(value: Any, expected: str) -> None:
    assert expected == names.tier(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("OpenAI", "openai"), ("az.ai.openai", "azure"), ("vertex_ai", "google"), ("my-relay", "my-relay"), ("", None)],
)
def test_providers_have_the_name_of_their_price_table(value: str, expected: str | None) -> None:
    assert expected == names.provider(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"), ("é" * 64, "é" * 64), ("é" * 65, None), ("x" * 129, None), (True, "true"), (3, "3"), (0.5, "0.5"),
        (float("nan"), None), (None, None), ([], None), ("sk-EXAMPLE-not-a-real-key", None), ("Bearer abc", None),
    ],
)  # fmt: skip
def test_a_tag_is_a_short_scalar_and_no_credential(value: Any, expected: str | None) -> None:
    assert expected == names.tag(value)


@pytest.mark.parametrize(
    "key", ["Authorization", "x-api-key", "OPENAI_API_KEY", "headers", "extra_headers", "password"]
)
def test_fields_that_hold_credentials_are_known(key: str) -> None:
    assert {} == names.tags({key: "short"})


def test_an_id_beyond_two_to_the_53_keeps_every_digit() -> None:
    assert "1344800117571260417" == names.text(1344800117571260417)
