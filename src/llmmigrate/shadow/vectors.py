"""Vectors of answers, for measures that need them: fetched with a pair's answers, held until it has been scored.

They are requests like all others: reserved, in the journal, settled. The vectors themselves are not kept, because they
tell what the texts say.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llmmigrate.costing.audit.findings import Finding, Translation
from llmmigrate.endpoints.embeddings import vectors_in
from llmmigrate.endpoints.exchange import Exchange
from llmmigrate.errors import EndpointError
from llmmigrate.shadow.answers import BYTES_A_TOKEN
from llmmigrate.shadow.measures import NotMeasuredError
from llmmigrate.shadow.measures.embedding_similarity import texts_of
from llmmigrate.shadow.pairs import Answer, Pair, Sampled
from llmmigrate.shadow.sending import Sender

Found = Mapping[str, "array[float] | str"]
"""By text: its vector, or why there is none."""


@dataclass(slots=True)
class Vectors:
    """The vectors that can be compared now: those of a pair, and of the answer before it that serves as control."""

    _now: Found = field(default_factory=dict)
    _control: Found = field(default_factory=dict)

    def get(self, text: str) -> Sequence[float]:
        """The vector of a text. NotMeasuredError, with the reason, where there is none."""
        found = self._now.get(text, "no vector was fetched for an answer")
        if isinstance(found, str):
            raise NotMeasuredError(found)
        return found

    def turn_to(self, found: Found, current: Answer | None) -> None:
        """Go on to the next pair; `current` is the current side's answer, the control of pairs to come."""
        self._now = {**self._control, **found}
        if current is not None:
            self._control = {text: self._now[text] for text in texts_of([current]) if text in self._now}


async def fetch(sender: Sender, pair: Pair) -> Found:
    """The vectors of a pair's answers, in one request.

    A fault of the endpoint is a reason for having none. Raises EndpointError for a key or a model that it refuses from
    the start, and BudgetReachedError when the cap leaves no room.
    """
    repeat = pair.repeat.answer if pair.repeat is not None else None
    texts = texts_of([pair.current.answer, pair.target.answer, repeat, pair.asked.logged])
    if not texts:
        return {}
    body = {"input": texts}
    found: dict[str, array[float] | str] = dict.fromkeys(
        texts, "an earlier start has asked for the vectors, and kept none"
    )

    def keep(exchange: Exchange) -> None:
        found.update(_vectors(exchange, texts, words=sender.store == "full"))

    expected = sum(len(text.encode()) for text in texts) // BYTES_A_TOKEN
    try:
        await sender.send(sender.side.key(pair.asked.key, body, 0), body, expected=expected, on_exchange=keep)
    except EndpointError:
        if not sender.spending.answered:
            raise
    return found


def _vectors(exchange: Exchange, texts: Sequence[str], *, words: bool) -> Found:
    """By text; `words`: a reason for having none may repeat what the endpoint said."""
    name = "no vectors of the answers"
    if exchange.failure is not None or exchange.body is None:
        said = f": {exchange.detail}" if words else ""
        return dict.fromkeys(texts, f"{name}: {exchange.failure}{said}")
    try:
        return dict(zip(texts, vectors_in(exchange.body, len(texts)), strict=True))
    except ValueError as error:
        return dict.fromkeys(texts, f"{name}: {error}")


def no_chat(asked: Sampled) -> Translation:
    """A logged request at an endpoint that only embeds."""
    finding = Finding("dialect", "refused", "an endpoint for embeddings answers no requests")
    return Translation(body=None, changes=(), doubts=(), refused=(finding,))
