"""The variance between session buckets that hold unlike numbers of calls."""

import numpy as np
import pytest

from llmmigrate.checks.measures import Bucket, _between


def test_equal_buckets_are_the_textbook_s_variance() -> None:
    variance, freedom = _between([Bucket(value, 7.0) for value in (3.0, -1.0, -2.0, 0.0)])
    assert variance == pytest.approx(14.0 * 4 / 3)
    assert freedom == pytest.approx(3.0)


def test_unlike_buckets_are_without_bias_and_spread_as_their_degrees_of_freedom_say() -> None:
    """Σ r² of normal sums: its mean is their true variance, and mean² / (variance / 2) the degrees of freedom."""
    random = np.random.default_rng(4)
    calls = np.array([10.0, 10.0, 10.0, 20.0, 30.0, 80.0])
    drawn = random.normal(size=(40_000, len(calls))) * np.sqrt(calls)
    centred = drawn - drawn.sum(axis=1, keepdims=True) * calls / calls.sum()
    found = [_between([Bucket(*pair) for pair in zip(row, calls, strict=True)]) for row in centred[:4000].tolist()]
    variances = np.array([variance for variance, _ in found])
    assert variances.mean() == pytest.approx(calls.sum(), rel=0.05)
    assert 2 * variances.mean() ** 2 / variances.var() == pytest.approx(found[0][1], rel=0.1)
    assert found[0][1] < len(calls) - 2
