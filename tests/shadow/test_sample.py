from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.shadow.sample import Drawer, Sample, order_of
from llmmigrate.usage.call import Call

_opened: list[Sample] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().bodies.close()


def call(number: int, *, tokens: int = 10, **more: Any) -> Call:
    request = {"messages": [{"role": "user", "content": f"question {number}"}]}
    told: dict[str, Any] = {"request_id": f"id-{number}", "request": request, "input_tokens": tokens, "reply": "yes"}
    return Call(**(told | more))


def draw(calls: Iterable[Call], *, share: float = 0.1, seed: int = 7, draws: int = 0, **more: Any) -> Sample:
    drawer = Drawer(share=share, seed=seed, cost_draws=draws, wanted=lambda _: True, **more)
    for number, item in enumerate(calls):
        drawer.add(item, f"log:{number}")
    _opened.append(drawer.sample())
    return _opened[-1]


def keys(sample: Sample) -> list[str]:
    return [sample.bodies.get(place).key for place in sample.canary]


def test_a_wider_canary_holds_the_narrower_one_whatever_the_order_of_the_log() -> None:
    calls = [call(number) for number in range(2000)]
    narrow, wide = keys(draw(calls, share=0.01)), keys(draw(reversed(calls), share=0.1))
    assert set(narrow) <= set(wide)
    assert wide[: len(narrow)] == narrow, "pairs come in the order of u"
    assert 150 < len(wide) < 250


def test_the_rule_is_the_documented_one() -> None:
    import hashlib

    first = hashlib.sha256(b"7:id-1").digest()[:8]
    assert order_of(7, "id-1") == int.from_bytes(first, "big") / 2**64
    assert order_of(8, "id-1") != order_of(7, "id-1")


@given(st.text(), st.integers(0, 2**31))
def test_every_key_has_a_place(key: str, seed: int) -> None:
    assert 0 <= order_of(seed, key) < 1


def test_a_call_without_an_id_is_known_by_its_request() -> None:
    one = call(1, request_id=None)
    same = call(2, request_id=None, request={"messages": [{"content": "question 1", "role": "user"}]})
    assert len(draw([one, same], share=1).canary) == 1


def test_what_cannot_be_drawn_is_counted() -> None:
    calls = [call(1), call(2, request=None), call(3, request={"prompt": "legacy"}), call(4)]
    drawer = Drawer(share=1, seed=1, cost_draws=0, wanted=lambda item: item.request_id != "id-4")
    for item in calls:
        drawer.add(item, "log:1")
    sample = drawer.sample()
    _opened.append(sample)
    assert sample.left_out == {"no_request_text": 1, "not_a_chat_request": 1, "other_model": 1}
    assert sample.population == 1


def test_sessions_are_drawn_whole() -> None:
    calls = [call(number, session_id=f"s{number // 10}") for number in range(1000)]
    sample = draw(calls, share=0.2, by_session=True)
    drawn = [sample.bodies.get(place).session for place in sample.canary]
    assert drawn
    assert all(drawn.count(session) == 10 for session in drawn)


def test_the_cost_sample_is_drawn_in_proportion_to_tokens() -> None:
    """Of many draws, a call of 900 of 1,000 tokens takes about nine tenths."""
    calls = [call(0, tokens=900), *(call(number, tokens=1) for number in range(1, 101))]
    sample = draw(calls, share=0, draws=2000)
    times = {sample.bodies.get(place).key: count for place, count in sample.cost}
    assert sum(times.values()) == 2000
    assert times["id-0"] / 2000 == pytest.approx(0.9, abs=0.03)
    assert sample.population_tokens == 1000


def test_the_digest_tells_another_log() -> None:
    calls = [call(number) for number in range(100)]
    assert draw(calls, share=0.5).digest == draw(calls, share=0.5).digest
    assert draw(calls[:-1], share=1).digest != draw(calls, share=1).digest


def test_half_a_surrogate_pair_is_left_out_and_counted() -> None:
    odd = call(1, request={"messages": [{"role": "user", "content": "\ud800"}]})
    sample = draw([odd, call(2)], share=1)
    assert len(sample.canary) == 1
    assert sample.left_out == {"not_unicode": 1}
