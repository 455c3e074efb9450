"""The outlook of a canary counts in strides what the play counts pair by pair."""

import numpy as np
import pytest
from benchmarks.simulate_verdict import failing, gate, play

from llmmigrate.shadow.decidability import Assumed, outlook


def test_the_outlook_is_what_the_pair_by_pair_play_gives() -> None:
    played = play(gate("errors"), failing(0.01, 0.01, 2000, together=0.0), seed=2)
    found = outlook([gate("errors")], 2000, Assumed(errors=0.01), seed=5)
    assert found.passes == pytest.approx(played.passes, abs=0.05)
    assert found.median == pytest.approx(float(np.median(played.passed)), rel=0.1)
