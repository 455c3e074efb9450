"""How often the interval of the cost sample holds the truth, and how near its estimate comes: 2,000 samples."""

import pytest
from benchmarks.simulate_verdict import REPLICATES, make_log, play_calibration


@pytest.mark.parametrize("sigma", [0.3, 0.6])
def test_the_interval_holds_the_truth(sigma: float) -> None:
    cover, error, _ = play_calibration(make_log(sigma, 3), 300, seed=4, replicates=REPLICATES)
    assert cover >= 0.93
    assert error <= {0.3: 0.035, 0.6: 0.07}[sigma]


def test_quite_unequal_calls_are_called_approximate() -> None:
    cover, _, reported = play_calibration(make_log(1.5, 3), 300, seed=5, replicates=500)
    assert cover < 0.93
    assert reported > 0.6
