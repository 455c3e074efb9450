"""llmmigrate: what LLM traffic costs, what it would cost elsewhere, and how to get there and back."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmmigrate.frames import read as read

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`llmmigrate.read` for notebooks, imported when it is used."""
    if name == "read":
        from llmmigrate.frames import read

        return read
    raise AttributeError(f"module 'llmmigrate' has no attribute '{name}'")
