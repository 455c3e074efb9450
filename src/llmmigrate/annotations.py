"""What annotations of a record's fields say to `typed_yaml`: how a value is written, and what it means."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, get_args, get_origin


class Written(NamedTuple):
    """How a value is written: its parser (ValueError says what to write instead), an example and its JSON type."""

    parse: Callable[[str], Any]
    example: str
    json_type: tuple[str, ...] = ("string",)


class About(NamedTuple):
    """What a key means, in a sentence for editors."""

    text: str


def bare_type(kind: Any) -> Any:
    """A type without what annotations say about it."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def key_of(name: str) -> str:
    """The key of a field in the file."""
    return name.removesuffix("_")
