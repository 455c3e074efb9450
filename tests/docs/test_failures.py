"""That the page on failures says of each what the program does."""

import re
from typing import get_args

from tools.screens import ROOT

from llmmigrate.endpoints.attempt import LARGEST_ANSWER
from llmmigrate.endpoints.client import Retries
from llmmigrate.endpoints.exchange import Failure, Timeouts
from llmmigrate.endpoints.failures import OUTAGE, RETRIED
from llmmigrate.endpoints.limits import Breaker

PAGE = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| (yes|no) \|", PAGE, re.MULTILINE))


def test_every_failure_is_explained() -> None:
    assert set(ROWS) == set(get_args(Failure))


def test_what_is_tried_again_is_said() -> None:
    assert {name for name, again in ROWS.items() if again == "yes"} == RETRIED


def test_what_opens_the_breaker_is_said() -> None:
    told = PAGE.partition("Counted are")[2].partition(";")[0]
    named = set(re.findall(r"`(\w+)`", told)) | {name for name in ROWS if name.startswith("timeout_")}
    assert named == OUTAGE


def test_the_numbers_are_those_of_the_code() -> None:
    retries, waits = Retries(), Timeouts()
    for words in (
        f"sent at most {retries.attempts} times",
        f"at most {retries.longest_asked:g} seconds",
        f"After {Breaker.FAILURES} failures in a row of at least {Breaker.REQUESTS} different requests",
        f"no connection within {waits.connect:g} s",
        f"no content within {waits.first_token:g} s",
        f"{waits.read:g} s of silence",
        f"no whole answer within {waits.total:g} s",
        f"more than {LARGEST_ANSWER // 1024**2} MiB",
    ):
        assert words in PAGE
    longest = [min(retries.longest, retries.base * 2**place) for place in range(retries.attempts - 1)]
    assert f"between 0 and {', '.join(f'{wait:g}' for wait in longest[:-1])}, then {longest[-1]:g} seconds" in PAGE
