"""Server-sent events from bytes, however the network cuts them."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.endpoints.events import EventReader

STREAM = (
    b": hello\n\n"
    b'event: message\ndata: {"a": 1}\n\n'
    b'data:{"b": 2}\r\n\r\n'
    b"id: 7\nretry: 10\n\n"
    b"data: [1,\ndata: 2]\n\n\n\n"
    b"data: [DONE]\n\n"
)
EVENTS = [b'{"a": 1}', b'{"b": 2}', b"[1,\n2]", b"[DONE]"]


def read(pieces: list[bytes]) -> list[bytes]:
    reader = EventReader()
    found = [event for piece in pieces for event in reader.feed(piece)]
    return [*found, *reader.close()]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_cuts_do_not_matter(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert read([STREAM[start:end] for start, end in itertools.pairwise(edges)]) == EVENTS


def test_the_last_empty_line_may_be_missing() -> None:
    assert read([b'data: {"a": 1}']) == [b'{"a": 1}']
    assert read([b'data: {"a": 1}\n']) == [b'{"a": 1}']


def test_nothing_is_no_event() -> None:
    assert read([]) == read([b""]) == read([b"\n\n\n"]) == read([b": ping\n\n"]) == []
