"""A plan as files for somebody else to run: one module a form, found by its name."""

from dataclasses import dataclass
from typing import Final, Protocol

ROOM: Final = "serving.exports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a form needs to know of a plan."""

    name: str
    title: str
    program: str
    """The path of the engine's program on this machine; its bare name where it is not installed."""
    arguments: tuple[str, ...]
    """Without the program."""
    environment: dict[str, str]
    directory: str | None
    platform: str
    count: int
    host: str
    port: int
    image: str | None
    """None where nobody publishes one for this platform."""
    folder: str | None
    """The folder of a checkpoint of one's own."""
    key_variable: str | None
    """The engine's variable for a key; None where it takes none."""
    header: str
    """Where the file comes from, in a line."""


class Export(Protocol):
    """What a module of this room offers."""

    def files(self, deployment: Deployment) -> dict[str, str]:
        """The files by name. ServingError where this form cannot hold the deployment."""
        ...
