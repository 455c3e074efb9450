"""Saved profiles: the same bytes for the same profile, compressed when large, refused when they are not ours."""

import gzip
import json

import pytest
from msgspec.structs import replace

from llmmigrate.errors import InputError
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage import store
from llmmigrate.usage.call import Call
from llmmigrate.usage.cuts import CutMarks, Cuts
from llmmigrate.usage.profile import CellKey, Profile, ProfileWriter, disjoint_tokens, input_total, output_total

MARKS = CutMarks(instants=(1_768_471_200,), clocks=(("Asia/Shanghai", 540),), prompt=(8192,), output=(1000,))
CALL = Call(
    start_ns=1_768_471_200 * NANOSECONDS, model="o3", input_tokens=10, cached_input_tokens=4, output_tokens=5,
    reasoning_tokens=2, latency_ms=1500.0, ttft_ms=20.5, logged_cost=7, error="timeout", session_id="s",
)  # fmt: skip


def profile_of(*calls: Call, tags: tuple[str, ...] = ()) -> Profile:
    profile = Profile(MARKS, tags)
    writer = ProfileWriter(profile, Cuts(MARKS))
    for number, call in enumerate(calls):
        writer.add(call, first_attempt=True, session_bucket=number % 64)
    return profile


def test_a_profile_survives_saving() -> None:
    data = store.dump(profile_of(CALL, CALL))
    assert data == store.dump(store.load(data, "saved"))


def test_a_saved_profile_begins_with_its_schema() -> None:
    data = store.dump(profile_of(CALL))
    assert (True, "llmmigrate.profile/1") == (data.startswith(store.SIGNATURE), json.loads(data)["schema"])


def test_the_order_of_calls_does_not_change_the_bytes() -> None:
    calls = [Call(model=name, input_tokens=size) for name in ("b", "a") for size in (1, 9000)]
    here, there = Profile(MARKS), Profile(MARKS)
    for profile, ordered in ((here, calls), (there, calls[::-1])):
        writer = ProfileWriter(profile, Cuts(MARKS))
        for call in ordered:
            writer.add(call, first_attempt=True, session_bucket=None)
    assert store.dump(here) == store.dump(there)


def test_a_large_profile_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = store.dump(profile_of(CALL))
    monkeypatch.setattr(store, "COMPRESS_ABOVE", 10)
    assert plain == gzip.decompress(store.dump(profile_of(CALL)))


def test_the_key_of_a_group_is_that_of_its_cells_without_their_time() -> None:
    assert store.GroupKey._fields == tuple(name for name in CellKey._fields if name not in ("start", "end"))


def test_cells_that_differ_in_time_are_one_group() -> None:
    early, late = (
        replace(CALL, start_ns=CALL.start_ns and CALL.start_ns + 86_400 * NANOSECONDS * day) for day in (0, 9)
    )
    saved = json.loads(store.dump(profile_of(early, late, replace(late, model="o4"))))
    assert [("o3", 2), ("o4", 1)] == [(key[1], len(cells)) for key, cells in saved["cells"]]


def test_two_cells_of_one_key_are_no_profile() -> None:
    """One of them would be lost."""
    saved = json.loads(store.dump(profile_of(CALL)))
    saved["cells"] *= 2
    with pytest.raises(InputError, match="damaged"):
        store.load(json.dumps(saved, separators=(",", ":")).encode(), "saved")


def test_names_that_are_null_and_empty_stay_apart() -> None:
    profile = profile_of(*(Call(model=name, input_tokens=1) for name in (None, "")))
    loaded = store.load(store.dump(profile), "saved")
    assert {None, ""} == {key.model for key in loaded.cells}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"schema":"llmmigrate.profile/1"}', b'{"schema":"other"}'])
def test_what_is_no_profile_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        store.load(data, "saved")


@pytest.mark.parametrize(
    ("data", "what", "why"),
    [
        (
            b'{"schema":"llmmigrate.profile/1"}',
            "is a damaged profile, or one of another build",
            "missing required field",
        ),
        (b'{"schema":"llmmigrate.profile/2"}', "that this version cannot read", "was written as llmmigrate.profile/2"),
    ],
)
def test_a_profile_of_this_version_is_not_said_to_be_of_another(data: bytes, what: str, why: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        store.load(data, "saved", again="write it anew")
    assert (why in str(caught.value.why), caught.value.fix) == (True, "write it anew")
    assert ("this version reads" in str(caught.value.why)) == (b"/2" in data)


def test_classes_are_disjoint_and_add_up() -> None:
    call = Call(
        input_tokens=100, input_audio_tokens=5, cached_input_tokens=20, cache_write_5m_tokens=10,
        cache_write_1h_tokens=1, output_tokens=50, output_audio_tokens=3, reasoning_tokens=30,
    )  # fmt: skip
    tokens = disjoint_tokens(call)
    assert ([64, 5, 20, 10, 1, 17, 3, 30], 100, 50) == (tokens, input_total(tokens), output_total(tokens))


def test_the_running_time_is_spread_over_the_quarters_it_ran_in() -> None:
    second = 1_768_471_200
    start = (second + 890) * NANOSECONDS
    profile = profile_of(Call(start_ns=start, input_tokens=1, output_tokens=2, latency_ms=20_000.0))
    assert {second: [1, 1, 2, 10_000], second + 900: [0, 0, 0, 10_000]} == profile.load


def test_second_moments_are_kept_for_every_pair_of_classes() -> None:
    profile = profile_of(Call(input_tokens=3, output_tokens=2), Call(input_tokens=5, output_tokens=4))
    (cell,) = profile.cells.values()
    assert {0: 9 + 25, 5: 6 + 20, 45: 4 + 16} == cell.moments
