"""aider's analytics file: events, of which `message_send` is a call and its exception a failed one."""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs import names
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.logs.formats import NotACall, Slot
from llmmigrate.logs.usage_fields import of_object
from llmmigrate.logs.values import cost, instant

NAME: Final = "aider"

_CALL: Final = "message_send"
_FAILED_CALL: Final = "message_send_exception"


def matches(record: dict[str, Any]) -> bool:
    """`event`, `properties` and `time`."""
    return "event" in record and "properties" in record and "time" in record


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Slot]:
    """One call, or an event that is none; aider logs no text."""
    event, properties = record.get("event"), record.get("properties")
    if event not in (_CALL, _FAILED_CALL) or not isinstance(properties, dict):
        return (NotACall("other", "event"),)
    made = Draft()
    made.fields = {
        "start_ns": instant(record.get("time"), made.warnings),
        "model": names.model(properties.get("main_model")),
        "logged_cost": cost(properties.get("cost"), made.warnings),
        "error": "exception" if event == _FAILED_CALL else None,
    }
    if event == _CALL:
        made.usage = of_object(properties, made.warnings)
    made.tag(names.tags(properties, ("edit_format",)))
    return (finish(made),)
