"""Student's t against SciPy."""

import pytest
from scipy import stats

from llmmigrate.statistics.student import t_cdf, t_quantile

DEGREES = (0.5, 1, 1.5, 2, 3, 5, 12.3, 25, 100, 1000, 100_000)


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("probability", [1e-6, 0.001, 0.025, 0.1, 0.5, 0.6, 0.9, 0.975, 0.995, 0.999999])
def test_the_quantile_is_scipys(probability: float, df: float) -> None:
    assert t_quantile(probability, df) == pytest.approx(stats.t.ppf(probability, df), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("t", [-300.0, -30.0, -2.0, -0.1, 0.0, 0.3, 1.7, 40.0])
def test_the_distribution_function_is_scipys(t: float, df: float) -> None:
    assert t_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.1, 1.5])
def test_only_probabilities_have_quantiles(probability: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        t_quantile(probability, 3)


@pytest.mark.parametrize("df", [0, -1])
def test_degrees_of_freedom_are_positive(df: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        t_quantile(0.9, df)
