"""How long an endpoint asks to wait, in every spelling."""

import pytest

from llmmigrate.endpoints import waits

NOW = 1_795_305_600.0  # 2026-11-22T00:00:00Z


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 00:00:30 GMT"}, 30.0),
        ({"retry-after": "Sunday, 22-Nov-26 00:00:30 GMT"}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 23:59:00 GMT"}, 0.0),
        ({"retry-after": "1m30s"}, 90.0),
        ({"retry-after-ms": "1250"}, 1.25),
        ({"retry-after-ms": "1250", "retry-after": "9"}, 1.25),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        (
            {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-11-22T00:00:07Z"},
            7.0,
        ),
        ({"x-ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset": str(int(NOW) + 20)}, 20.0),
        ({"x-ratelimit-reset": str((int(NOW) + 20) * 1000)}, 20.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "5"}, 5.0),
    ],
)
def test_spellings(headers: dict[str, str], seconds: float) -> None:
    assert waits.asked(headers, NOW) == pytest.approx(seconds)


def test_the_bucket_that_is_exhausted_counts() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "40",
        "x-ratelimit-reset-requests": "10m",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "3s",
    }
    assert waits.asked(headers, NOW) == 3.0
    assert waits.asked(headers | {"x-ratelimit-remaining-requests": "0"}, NOW) == 600.0


@pytest.mark.parametrize("text", ["", " ", "soon", "-5", "nan", "inf", "1e999", "2026-13-45", "1" * 400, "m", "\x00"])
def test_what_cannot_be_read_asks_for_nothing(text: str) -> None:
    assert waits.asked({"retry-after": text, "retry-after-ms": text, "x-ratelimit-reset": text}, NOW) is None


def test_silence() -> None:
    assert waits.asked({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1s"}, NOW) is None
