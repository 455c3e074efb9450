"""The quantile sketch: within one percent, mergeable, exact in its counts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.usage.sketch import LARGEST, RELATIVE_ERROR, SMALLEST, Sketch, bucket, merge, quantile, representative

values = st.floats(SMALLEST, LARGEST, exclude_min=True)


@given(value=values)
def test_a_bucket_stands_for_its_values_within_one_percent(value: float) -> None:
    assert representative(bucket(value)) == pytest.approx(value, rel=RELATIVE_ERROR + 1e-9)


@given(a=values, b=values)
def test_buckets_keep_the_order(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert bucket(low) <= bucket(high)


def test_zero_and_what_is_next_to_it_are_zero() -> None:
    assert [0.0, 0.0] == [representative(bucket(value)) for value in (0, SMALLEST)]


def sketched(numbers: list[float]) -> Sketch:
    sketch: Sketch = {}
    for number in numbers:
        sketch[bucket(number)] = sketch.get(bucket(number), 0) + 1
    return sketch


@pytest.mark.parametrize("q", [0.01, 0.5, 0.9, 0.95, 0.99, 1.0])
def test_quantiles_of_a_skewed_sample(q: float) -> None:
    chance = random.Random(5)
    numbers = sorted(chance.lognormvariate(6, 1.5) for _ in range(4001))
    exact = numbers[max(0, -(-int(q * 4001 * 1000) // 1000) - 1)]
    assert pytest.approx(exact, rel=0.025) == quantile(sketched(numbers), q)


@given(a=st.lists(values, max_size=20), b=st.lists(values, max_size=20))
def test_merging_is_sketching_both(a: list[float], b: list[float]) -> None:
    merged = sketched(a)
    merge(merged, sketched(b))
    assert sketched(a + b) == merged


def test_an_empty_sketch_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None
