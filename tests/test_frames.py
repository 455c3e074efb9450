"""The DataFrames of a notebook: the same figures as the commands, exact money, one pandas import."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from tests.conftest import Outcome

import llmmigrate as product
from llmmigrate.errors import UnknownNameError, UsageError

LOG = str(Path(__file__).parent.parent / "samples" / "logs.jsonl")
AS_OF = datetime(2026, 11, 22, 12, tzinfo=UTC)
Run = Callable[..., Outcome]


def test_the_frame_of_a_log_has_the_figures_of_analyze(llmmigrate: Run) -> None:
    frame = product.read(LOG).to_frame()
    groups = json.loads(llmmigrate("analyze", LOG, "--format", "json").out)["groups"]
    assert [group["key"]["model"] for group in groups] == list(frame["model"])
    assert [group["calls"] for group in groups] == list(frame["calls"])
    costs = [Decimal(group["cost"]) if "cost" in group else None for group in groups]
    assert costs == [None if cost is None or cost != cost else cost for cost in frame["cost"]]


def test_groups_may_be_combined_and_tags_used() -> None:
    frame = product.read(LOG, tags=["route"]).to_frame(by=["day", "tag.route"])
    assert {"day", "tag.route", "input_tokens", "cost"} <= set(frame.columns)
    assert 3632 == int(frame["calls"].sum())


def test_the_frame_of_an_estimate_has_the_figures_of_estimate(llmmigrate: Run) -> None:
    frame = product.read(LOG).estimate("zai/glm-5", "openai/gpt-4o", as_of=AS_OF).to_frame()
    options = ["--to", "zai/glm-5", "--to", "openai/gpt-4o", "--as-of", AS_OF.isoformat(), "--format", "json"]
    rows = json.loads(llmmigrate("estimate", LOG, *options).out)["targets"]
    assert [(row["to"], Decimal(row["cost"]), Decimal(row["saving"])) for row in rows] == list(
        zip(frame["to"], frame["cost"], frame["saving"], strict=True)
    )


def test_what_is_not_known_is_refused() -> None:
    traffic = product.read(LOG)
    with pytest.raises(UsageError):
        traffic.to_frame(by="team")
    with pytest.raises(UnknownNameError):
        traffic.estimate("zai/glm-55")
    with pytest.raises(ValueError, match="time zone"):
        traffic.estimate("zai/glm-5", as_of=datetime(2026, 1, 1))


def test_importing_the_package_does_not_import_pandas() -> None:
    program = "import sys, llmmigrate; llmmigrate.read; print('pandas' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program]).splitlines()[-1] == b"False"


def test_another_name_is_no_part_of_the_package() -> None:
    with pytest.raises(AttributeError):
        product.nothing  # noqa: B018 - what is tested
