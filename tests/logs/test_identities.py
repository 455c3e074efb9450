"""Which calls were seen before: packed, merged and spilled identities answer like a plain table."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmmigrate.logs import identities
from llmmigrate.logs.identities import Identities, Seen, fingerprint, id_hash, id_hashes, mix
from llmmigrate.usage.call import Call

looks = st.lists(st.tuples(st.sampled_from([1, 2, 3, 2**63, 2**64 - 1]) | st.integers(0, 9), st.integers(0, 5)))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few identities a run, runs a level and levels that all of them are reached at once."""
    for name, value in {"RECENT": 3, "FAN": 2, "LEVELS": 2, "RUNS_IN_MEMORY": 1}.items():
        monkeypatch.setattr(identities, name, value)


def by_a_table(asked: list[tuple[int, int]]) -> Iterator[Seen]:
    """What `look` has to answer, one question after the other."""
    known: dict[int, list[int]] = {}
    for key, entry in asked:
        held = known.setdefault(key, [])
        if entry in held:
            yield Seen(True, True, False)
            continue
        yield Seen(False, bool(held), any(not other & 1 for other in held))
        held.append(entry)


@pytest.mark.usefixtures("tiny")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=looks)
def test_packed_identities_answer_like_a_table(asked: list[tuple[int, int]]) -> None:
    found = Identities()
    assert list(by_a_table(asked)) == [found.look(*question) for question in asked]


@pytest.mark.usefixtures("tiny")
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=looks, questions=st.lists(st.integers(0, 12), min_size=1))
def test_many_are_asked_at_once_like_one_at_a_time(asked: list[tuple[int, int]], questions: list[int]) -> None:
    found = Identities()
    for question in asked:
        found.look(*question)
    known = {key for key, _ in asked}
    assert [number in known for number in questions] == found.seen(np.array(questions, dtype=np.uint64)).tolist()


def test_hashes_of_many_texts_are_those_of_each() -> None:
    texts = ["", "a", "é", "\ud800", "x" * 1000]
    assert [id_hash(text) for text in texts] == id_hashes(texts).tolist()


def test_a_fingerprint_tells_success_from_failure() -> None:
    call = Call(model="o3", input_tokens=1)
    failed = Call(model="o3", input_tokens=1, error="timeout")
    assert (1, 0) == (fingerprint(call) & 1, fingerprint(failed) & 1)


@pytest.mark.parametrize(
    "other",
    [
        Call(model="o3", input_tokens=2, output_tokens=1),
        Call(model="o4", input_tokens=1, output_tokens=2),
        Call(model="o3", input_tokens=1, output_tokens=2, start_ns=0),
        Call(model="o3", input_tokens=1, output_tokens=2, cached_input_tokens=1),
    ],
)
def test_other_content_has_another_fingerprint(other: Call) -> None:
    assert fingerprint(other) != fingerprint(Call(model="o3", input_tokens=1, output_tokens=2))


def test_a_mix_depends_on_every_number_and_their_order() -> None:
    assert len({mix(1, 2, 3), mix(3, 2, 1), mix(1, 2), mix(1, 2, -3), mix(1, 2, 3 + 2**40)}) == 5
