"""One side of the comparison: where it is asked, how a logged request is written for it, and what that can cost."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

from llmmigrate.costing.audit.conversation import shown
from llmmigrate.costing.audit.findings import Finding, Translation
from llmmigrate.costing.audit.requests import Features, canonical_json, features_of
from llmmigrate.endpoints.exchange import Endpoint
from llmmigrate.shadow.budget import Stake
from llmmigrate.shadow.pairs import Sampled
from llmmigrate.shadow.paying import Till
from llmmigrate.units import Dialect
from llmmigrate.usage.call import Call

SideName = Literal["current", "target", "embeddings"]
Translate = Callable[[Sampled], Translation]

TOKENS_A_PICTURE: Final = 20_000
"""A bound for one picture in a prompt: its address does not tell its size in tokens."""
TOKENS_A_TURN: Final = 64
"""A bound for what a chat template adds to a turn."""


class Read(NamedTuple):
    """What is read off a request's body: once, because prompts are long."""

    canonical: bytes
    features: Features


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Who is asked."""

    name: SideName
    endpoint: Endpoint
    till: Till
    translate: Translate

    def read(self, body: dict[str, Any]) -> Read:
        """What `worst` and `key` need of a body that this side is sent."""
        return Read(canonical_json(body), features_of(body, self.endpoint.dialect))

    def worst(self, body: dict[str, Any], read: Read | None = None) -> Stake:
        """The most that a request can cost: no token is shorter than a byte, and no reply longer than its limit.

        It holds only for a request whose reply has one (see `limits_reply`), and which is `bounded`. `read` where the
        body was read already.
        """
        canonical, features = read or self.read(body)
        pieces = features.images + features.audio + features.files
        prompt = len(canonical) + TOKENS_A_TURN * (features.turns + 1) + TOKENS_A_PICTURE * pieces
        if _says_no_size(features):
            prompt = self.till.context_window or prompt
        limits = [limit for limit in (features.max_output_tokens, self.till.max_output) if limit]
        reply = min(limits, default=0) * (features.n or 1)
        return self.till.worst(Call(input_tokens=prompt, output_tokens=reply))

    def limits_reply(self, body: dict[str, Any]) -> bool:
        """Whether anything limits how long the reply to a request can be."""
        return bool(features_of(body, self.endpoint.dialect).max_output_tokens or self.till.max_output)

    def key(self, name: str, body: dict[str, Any], copy: int, read: Read | None = None) -> str:
        """The journal's key of a request: what is sent, where, for which logged request, and the how many-eth time.

        Both sides may be one model at one endpoint, and are asked each for itself.
        """
        digest = hashlib.sha256(canonical_json(body) if read is None else read.canonical)
        for part in (self.name, self.endpoint.name, self.endpoint.base_url, name, str(copy)):
            digest.update(b"\0" + part.encode())
        return digest.hexdigest()


def bounded(made: Translation, dialect: Dialect, till: Till) -> Translation:
    """A translated request, refused where nothing tells the most that it can cost."""
    if made.body is None or till.free:
        return made
    asked = features_of(made.body, dialect)
    refused = []
    if asked.hosted_tools:
        tools = ", ".join(map(shown, asked.hosted_tools))
        refused.append(Finding("hosted_tools", "refused", f"the vendor runs {tools}, at a cost that no cap could hold"))
    if _says_no_size(asked) and till.context_window is None:
        words = "a file or a stored history of unknown size, which no cap could hold"
        refused.append(Finding("files" if asked.files else "stored_history", "refused", words))
    return replace(made, body=None, refused=(*made.refused, *refused)) if refused else made


def _says_no_size(asked: Features) -> bool:
    """Whether a part of the prompt is only named, or takes more tokens than bytes: the pages of a PDF are pictures."""
    return bool(asked.files or asked.stored_history)
