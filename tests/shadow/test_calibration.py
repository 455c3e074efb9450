"""How many tokens the target takes: the ratios, what they rest on, and their file."""

import msgspec
import pytest

from llmmigrate.errors import InputError
from llmmigrate.shadow.calibration import Calibration, Draw, calibrate, draws_of, dump, load
from llmmigrate.shadow.pairs import Sampled, Tokens


def logged(
    key: str, *, inputs: int = 100, output: int = 50, reasoning: int | None = 20, team: str = "search"
) -> Sampled:
    return Sampled(
        key=key,
        order=0.5,
        place="logs.jsonl:1",
        request={},
        dialect="openai-chat",
        logged=None,
        input_tokens=inputs,
        output_tokens=output,
        reasoning_tokens=reasoning,
        tags=(("team", team),),
    )


def calibrated(draws: list[Draw]) -> Calibration:
    return calibrate(draws, current="openai/o3", target="zai/glm-5", seed=7, sample="ab" * 32)


def doubled(asked: Sampled, *, estimated: bool = False) -> Tokens:
    """1.2 × the input, half of it cached, 2 × the visible output, 3 × the reasoning."""
    reasoning = asked.reasoning_tokens or 0
    visible = asked.output_tokens - reasoning
    inputs = 6 * asked.input_tokens // 5
    return Tokens(
        input=inputs,
        output=2 * visible + 3 * reasoning,
        cached_input=inputs // 2,
        reasoning=3 * reasoning,
        estimated=estimated,
    )


def test_each_class_of_tokens_has_its_ratio() -> None:
    asked = [logged(f"r{n}", inputs=100 * n, output=60 * n, reasoning=20 * n) for n in range(1, 41)]
    found = calibrated([Draw(item, doubled(item)) for item in asked])
    assert {name: ratio.ratio for name, ratio in found.ratios.items()} == pytest.approx(
        {
            "input": 1.2,
            "output": (2 * 40 + 3 * 20) / 60,
            "visible_output": 2,
            "reasoning": 3,
            "reasoning_per_visible": 1.5,
            "cached_share": 0.5,
        }
    )
    assert (found.draws, found.calls, found.unanswered, found.estimated) == (40, 40, 0, 0)
    assert not any(ratio.approximate for ratio in found.ratios.values())


def test_a_reasoning_target_is_measured_where_the_log_has_none() -> None:
    asked = [logged(f"r{n}", reasoning=0) for n in range(10)]
    found = calibrated([Draw(item, Tokens(input=100, output=250, reasoning=200)) for item in asked])
    assert "reasoning" not in found.ratios
    assert found.ratios["reasoning_per_visible"].ratio == 4


def test_what_the_log_does_not_tell_apart_is_left_out() -> None:
    asked = [logged("a"), logged("b", reasoning=None), logged("c")]
    found = calibrated([Draw(item, doubled(item)) for item in asked])
    assert set(found.ratios) == {"input", "output", "cached_share"}


def test_failures_and_estimates_are_counted() -> None:
    asked = [logged(f"r{n}") for n in range(12)]
    draws = [Draw(item, doubled(item, estimated=n < 3)) for n, item in enumerate(asked[:8])]
    found = calibrated([*draws, *(Draw(item, None) for item in asked[8:])])
    assert (found.draws, found.unanswered, found.estimated) == (12, 4, 3)
    assert found.ratios["input"].draws == 8


def test_a_part_of_the_traffic_has_ratios_from_thirty_draws_on() -> None:
    asked = [(logged(f"r{n}", team="search" if n < 30 else "ads"), 1) for n in range(59)]
    found = calibrated(draws_of([(item, times, doubled(item)) for item, times in asked]))
    assert [(stratum.name, stratum.draws) for stratum in found.strata] == [("team=search", 30)]


def test_a_call_that_was_drawn_twice_counts_twice() -> None:
    draws = draws_of([(logged("a"), 2, doubled(logged("a"))), (logged("b"), 1, None)])
    found = calibrated(draws)
    assert (found.draws, found.calls, found.unanswered) == (3, 2, 1)
    assert {draw.strata for draw in draws} == {("team=search",)}
    assert found.strata == [], "all of it is no part"


def test_unequal_calls_make_the_interval_approximate() -> None:
    draws = [Draw(logged(f"r{n}"), Tokens(input=100, output=20 if n % 10 else 900)) for n in range(50)]
    found = calibrated(draws).ratios
    assert found["output"].approximate
    assert found["output"].sigma > 0.6
    assert not found["input"].approximate


@pytest.mark.parametrize("draws", [[], [Draw(logged("a"), doubled(logged("a")))]])
def test_too_little_gives_no_ratio(draws: list[Draw]) -> None:
    assert calibrated(draws).ratios == {}


def test_a_calibration_is_read_as_it_was_written() -> None:
    found = calibrated([Draw(logged(f"r{n}"), doubled(logged(f"r{n}"))) for n in range(40)])
    data = dump(found)
    assert load(data, "calibration.json") == found
    assert dump(load(data, "calibration.json")) == data
    written = msgspec.json.decode(data)
    assert written["schema"] == "llmmigrate.calibration/1"
    assert list(written) == sorted(written)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"{" * 100_000, b'{"schema": "llmmigrate.verdict/1"}', b"\xff\xfe"]
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"calibration\.json is no calibration"):
        load(data, "calibration.json")


def test_a_later_version_is_refused() -> None:
    data = dump(calibrated([])).replace(b"calibration/1", b"calibration/2")
    with pytest.raises(InputError, match="no calibration that this version can read"):
        load(data, "calibration.json")
