"""The dialects, one file each: `read` makes a conversation of a body, `write` makes a body of it.

What a dialect cannot say is noted as refused, and what is said otherwise as translated; nothing is lost unsaid.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, Protocol

from llmmigrate.costing.audit.conversation import Conversation
from llmmigrate.costing.audit.findings import Ledger
from llmmigrate.costing.audit.requests import Body, Features
from llmmigrate.units import Dialect


class DialectModule(Protocol):
    """What a dialect's module offers."""

    PARAMETERS: frozenset[str]
    """The top-level keys that this program understands."""

    def read(self, body: Mapping[str, Any], ledger: Ledger) -> Conversation:
        """The history and the tools of a body; what cannot be read is noted as refused."""
        ...

    def write(self, conversation: Conversation, asked: Features, left_out: frozenset[str], ledger: Ledger) -> Body:
        """A body without its model: history, tools and the parameters of `asked` that are not in `left_out`."""
        ...


_MODULES: Final[Mapping[Dialect, str]] = {
    "openai-chat": "openai_chat",
    "openai-responses": "openai_responses",
    "anthropic-messages": "anthropic_messages",
}


def module_of(dialect: Dialect) -> DialectModule:
    """The module of a dialect."""
    found: Any = import_module(f"{__name__}.{_MODULES[dialect]}")
    module: DialectModule = found
    return module
