"""OpenAI embeddings: a `list` of vectors with usage; there is no output and often no id and no instant."""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs import names
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.logs.formats import flat
from llmmigrate.logs.usage_fields import of_object
from llmmigrate.usage.call import Call

NAME: Final = "openai_embeddings"

_OWN_KEYS: Final = frozenset({"id", "object", "data", "model", "usage"})


def matches(record: dict[str, Any]) -> bool:
    """A `list` with `data` and `usage`; pages of other lists have no usage."""
    return record.get("object") == "list" and "data" in record and "usage" in record


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Call]:
    """One call."""
    return (finish(draft(record, keep_text=keep_text)),)


def draft(record: dict[str, Any], *, keep_text: bool) -> Draft:
    """The draft of an embeddings answer; vectors are no text and are never kept."""
    made = Draft()
    made.fields = {"request_id": names.text(record.get("id")), "model": names.model(record.get("model"))}
    usage = record.get("usage")
    if isinstance(usage, dict):
        made.usage = of_object(usage, made.warnings)
        made.usage.output_may_lack = "completion_tokens" not in usage
    flat.add_context(made, record, _OWN_KEYS)
    return made
