"""Arms in the journal: to plain JSON objects and back, the text as `--store` has it."""

import hashlib
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

import msgspec

from llmmigrate.logs.redaction import redacted_text
from llmmigrate.shadow.pairs import Answer, Arm, ToolCall

Store = Literal["redacted", "hashes", "full"]


def stored_arm(arm: Arm, store: Store) -> dict[str, Any]:
    """An arm as a JSON object, its texts redacted, hashed or whole; what an endpoint said of a failure is left out
    where no text is kept.
    """
    answer = arm.answer if arm.answer is None or arm.altered else stored_answer(arm.answer, store)
    found: dict[str, Any] = msgspec.to_builtins(arm, builtin_types=(Decimal,))
    if arm.detail is not None and store != "full":  # it may repeat what was asked
        found["detail"] = redacted_text(arm.detail) if store == "redacted" else None
    found["answer"] = msgspec.to_builtins(answer)
    found["altered"] = arm.altered or answer != arm.answer or None
    return {name: value for name, value in found.items() if value is not None}


def restored_arm(record: dict[str, Any]) -> Arm:
    """The arm of a journal's record."""
    return msgspec.convert({"answer": None, **record}, Arm, strict=False)


@lru_cache(maxsize=64)
def stored_answer(answer: Answer, store: Store) -> Answer:
    """An answer as it may lie on the disk. Kept for a moment: it is stored with its request and with its pair."""
    if store == "full":
        return answer
    change = _hashed if store == "hashes" else redacted_text
    calls = tuple(ToolCall(name=call.name, arguments=change(call.arguments)) for call in answer.tool_calls)
    return Answer(
        text=change(answer.text) if answer.text else "",
        tool_calls=calls,
        finish_reason=answer.finish_reason,
        refused=answer.refused,
    )


def _hashed(text: str) -> str:
    """Equal texts have equal hashes: enough to tell whether two answers are the same."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
