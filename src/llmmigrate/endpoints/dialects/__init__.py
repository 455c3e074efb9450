"""How one kind of API is spoken: one file a dialect, found by its name (`openai-chat` is `openai_chat`).

A dialect is a module with the parts of `Dialect`. It decides how a request is sent and what the pieces of an answer
mean for sending: has it begun, has it ended, is it an error. What an answer says and costs is read elsewhere.
"""

from typing import Any, NamedTuple, Protocol, cast

from llmmigrate import registry


class Glimpse(NamedTuple):
    """What one event of a stream, or a whole answer, tells about how far the answer is."""

    begun: bool = False
    """It holds something that the model made: text, reasoning, or a part of a tool call."""
    visible: bool = False
    """It holds something that a caller can use: text, a refusal in words, or a tool call."""
    finish: str | None = None
    """Why the model stopped, once it has."""
    over: bool = False
    """The last event of the stream: nothing of use follows."""
    error: Any = None
    """The error object, when it is one."""


class Dialect(Protocol):
    """The parts of a dialect's module."""

    PATH: str
    """Where requests go, below the base address."""
    MODELS: str
    """Where the models that are served are listed."""
    FILTERED: frozenset[str]
    """The reasons to stop that mean: held back by a content filter."""

    def headers(self, key: str | None) -> dict[str, str]:
        """The headers of a request, the key in its place."""
        ...

    def prepare(self, body: dict[str, Any], model: str, stream: bool) -> dict[str, Any]:
        """The body that is sent: the model's name, streamed or not, usage asked for; nothing else is changed."""
        ...

    def of_event(self, event: dict[str, Any]) -> Glimpse:
        """What one event of a stream tells."""
        ...

    def of_whole(self, body: dict[str, Any]) -> Glimpse:
        """What an answer in one piece tells."""
        ...


def address(base_url: str, path: str) -> str:
    """The whole address of a path; a version that both name stands there once."""
    base = base_url.rstrip("/")
    return base + (path.removeprefix("/v1") if base.endswith("/v1") else path)


def named(name: str) -> Dialect:
    """The dialect that the settings call `name`."""
    return cast(Dialect, registry.load("endpoints.dialects", name.replace("-", "_")))
