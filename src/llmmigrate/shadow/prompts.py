"""What `bench` asks: prompts of a file, or a small set that comes with llmmigrate."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from llmmigrate.errors import InputError, Location

BUNDLED: Final = (
    "Explain in about 100 words why the sky is blue and why it turns red at sunset.",
    "Write a Python function that merges two sorted lists, with a docstring and no imports.",
    "Translate into French, German and Spanish: 'The meeting was moved to Thursday at half past nine.'",
    "A train leaves at 14:05 and arrives at 17:52 with two stops of 7 minutes. How long does it move? Show each step.",
    "List ten checks to make before a database migration in production, one short sentence each.",
    "Summarise in three sentences: A team moved its reports from a nightly batch to a stream. Errors were seen within "
    "minutes instead of the next day, but duplicates appeared when a node restarted, and the cost of storage doubled.",
    "Return a JSON object with the keys name, population and area_km2 for Portugal, and nothing else.",
    "Write a friendly e-mail of about 120 words that tells a customer that a refund takes five working days.",
)


@dataclass(frozen=True, slots=True)
class Prompts:
    """Requests in the form of chat completions, asked in turn."""

    source: str
    """The file, or `bundled`."""
    bodies: tuple[dict[str, Any], ...]
    fresh: bool
    """Each request is told apart by a line of its own, so that no cache between here and the model can answer it."""

    @property
    def sha256(self) -> str:
        """Of the requests as they are before that line is added."""
        return hashlib.sha256(msgspec.json.encode(self.bodies, order="sorted")).hexdigest()

    def body(self, number: int, run: str) -> dict[str, Any]:
        """The request of this number."""
        body = self.bodies[number % len(self.bodies)]
        if not self.fresh:
            return body
        *before, last = body["messages"]
        return {**body, "messages": [*before, {**last, "content": f"{last['content']}\n\n[{run}-{number}]"}]}


def bundled() -> Prompts:
    """The prompts that come with llmmigrate: everyday tasks with replies of about 100 words."""
    return Prompts("bundled", tuple(_asking(text) for text in BUNDLED), fresh=True)


def read_prompts(path: str) -> Prompts:
    """The prompts of a file: a prompt a line as text, or (`.jsonl`) as `{"prompt": …}` or `{"messages": […], …}`.

    They are sent as they are. InputError, with the line, for what is none.
    """
    if path.endswith(".json"):
        raise InputError(f"{path} is no list of prompts", fix="write one prompt a line, as .txt or .jsonl")
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}", why=str(error)) from None
    read = _of_jsonl if path.endswith((".jsonl", ".ndjson")) else _of_text
    bodies = tuple(read(path, lines))
    if not bodies:
        raise InputError(f"{path} holds no prompt", fix="write one prompt a line")
    return Prompts(path, bodies, fresh=False)


def _of_text(_: str, lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    return (_asking(line) for line in lines if line.strip())


def _of_jsonl(path: str, lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            body = _body(line)
            if body is None:
                raise InputError(
                    "no prompt on this line",
                    where=Location(path, number, None, line),
                    fix='write {"prompt": "…"}, or {"messages": […]} with any parameters of a chat completion',
                )
            yield body


def _body(line: str) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    if isinstance(found, dict) and isinstance(found.get("prompt"), str):
        return _asking(found["prompt"])
    if isinstance(found, dict) and isinstance(found.get("messages"), list) and found["messages"]:
        return found
    return _asking(found) if isinstance(found, str) else None


def _asking(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}
