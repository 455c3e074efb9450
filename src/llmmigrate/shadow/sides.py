"""One side of the comparison: where it is asked, how a logged request is written for it, and what that can cost."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from llmmigrate.costing.audit.findings import Translation
from llmmigrate.costing.audit.requests import canonical_json, features_of
from llmmigrate.endpoints.exchange import Endpoint
from llmmigrate.shadow.budget import Stake
from llmmigrate.shadow.pairs import Sampled
from llmmigrate.shadow.paying import Till
from llmmigrate.usage.call import Call

SideName = Literal["current", "target", "embeddings"]
Translate = Callable[[Sampled], Translation]

TOKENS_A_PICTURE: Final = 20_000
"""A bound for one picture or file in a prompt: its address does not tell its size in tokens."""
TOKENS_A_TURN: Final = 64
"""A bound for what a chat template adds to a turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Who is asked."""

    name: SideName
    endpoint: Endpoint
    till: Till
    translate: Translate

    def worst(self, body: dict[str, Any]) -> Stake:
        """The most that a request can cost: no token is shorter than a byte, and no reply longer than its limit.

        It holds only for a request whose reply has one: see `limits_reply`.
        """
        features = features_of(body, self.endpoint.dialect)
        pieces = features.images + features.audio + features.files
        prompt = len(canonical_json(body)) + TOKENS_A_TURN * (features.turns + 1) + TOKENS_A_PICTURE * pieces
        limits = [limit for limit in (features.max_output_tokens, self.till.max_output) if limit]
        reply = min(limits, default=0) * (features.n or 1)
        return self.till.worst(Call(input_tokens=prompt, output_tokens=reply))

    def limits_reply(self, body: dict[str, Any]) -> bool:
        """Whether anything limits how long the reply to a request can be."""
        return bool(features_of(body, self.endpoint.dialect).max_output_tokens or self.till.max_output)

    def key(self, name: str, body: dict[str, Any], copy: int) -> str:
        """The journal's key of a request: what is sent, where, for which logged request, and the how many-eth time.

        Both sides may be one model at one endpoint, and are asked each for itself.
        """
        digest = hashlib.sha256(canonical_json(body))
        for part in (self.name, self.endpoint.name, self.endpoint.base_url, name, str(copy)):
            digest.update(b"\0" + part.encode())
        return digest.hexdigest()
