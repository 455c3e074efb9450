"""Embeddings, as OpenAI introduced them: texts in, a vector for each out, through the same client as everything else.

`Client(endpoint, dialect=embeddings)` sends within the endpoint's limits; an answer comes in one piece.
"""

from array import array
from typing import Any, Final

from llmmigrate.endpoints.dialects import Glimpse, openai_chat

PATH: Final = "/embeddings"
MODELS: Final = openai_chat.MODELS
FILTERED: Final[frozenset[str]] = frozenset()

headers = openai_chat.headers


def prepare(body: dict[str, Any], model: str, stream: bool) -> dict[str, Any]:
    """The texts and the model's name; a stream of vectors does not exist."""
    return {**body, "model": model}


def of_event(event: dict[str, Any]) -> Glimpse:
    """An error is all that an event could tell."""
    return Glimpse(error=event.get("error"))


def of_whole(body: dict[str, Any]) -> Glimpse:
    """What a list of vectors tells."""
    if body.get("error"):
        return Glimpse(error=body)
    vectors = bool(body.get("data"))
    return Glimpse(begun=vectors, visible=vectors)


def vectors_in(body: dict[str, Any], count: int) -> "list[array[float]]":
    """The vectors of an answer to `count` texts, in their order. ValueError, with words, where it holds no such."""
    listed = body.get("data")
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    if len(items) != count:
        raise ValueError(f"{len(items)} vectors for {count} texts")
    places = [item.get("index", place) for place, item in enumerate(items)]
    if not all(isinstance(place, int) for place in places) or sorted(places) != list(range(count)):
        raise ValueError("the vectors do not say which texts they belong to")
    return [_vector(item.get("embedding")) for _, item in sorted(zip(places, items, strict=True), key=_place)]


def _place(entry: tuple[int, dict[str, Any]]) -> int:
    return entry[0]


def _vector(numbers: Any) -> "array[float]":
    """In single precision, which is what the models give."""
    if not isinstance(numbers, list) or not numbers:
        raise ValueError("a vector is no list of numbers")
    try:
        return array("f", numbers)
    except (TypeError, OverflowError):
        raise ValueError("a vector is no list of numbers") from None
