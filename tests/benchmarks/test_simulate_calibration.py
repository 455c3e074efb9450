"""The simulation of calibrated intervals, at a size that a test can afford."""

import numpy as np
from benchmarks.simulate_calibration import CANARIES, simulate, table


def test_a_canary_of_real_shape_finds_the_cost() -> None:
    """Log-normal sizes: 200 canaries of 300 calls. A fair 95 % interval misses 18 or more of 200 once in 100 trials."""
    sizes = np.random.default_rng(1)
    tokens = sizes.lognormal(7, 1.2, 5000), sizes.lognormal(5, 1.0, 5000)
    found = simulate("made up", tokens, 0.3, CANARIES[1], 200)
    assert found.cover >= 0.91
    assert found.error <= 0.035
    assert found.error < found.width < 3 * found.error


def test_the_table_has_a_line_a_case() -> None:
    tokens = np.full(50, 100.0), np.full(50, 10.0)
    case = simulate("even", tokens, 0.3, 100, 5)
    assert table([case]).splitlines()[2].startswith("| even | 0.3 | 100 | ")
