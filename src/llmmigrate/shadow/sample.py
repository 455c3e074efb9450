"""Which logged requests are replayed: a nested hash sample for the gates, a draw by tokens for the cost.

A request is in the canary when u < share, with u = the first 8 bytes (big-endian) of sha256(seed ‖ ":" ‖ key) / 2⁶⁴:
the same on every machine and in any order of the log, and 1 % ⊂ 5 % ⊂ 10 %. The cost sample is drawn with replacement,
with probability proportional to logged tokens (docs/shadow-statistics.md).

Bodies wait in an unnamed temporary file: memory does not grow with the sample, and nothing is left on the disk.
"""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from llmmigrate.costing.audit.requests import canonical_json, dialect_of
from llmmigrate.shadow.answers import answer_of
from llmmigrate.shadow.pairs import Sampled
from llmmigrate.usage.call import Call

if TYPE_CHECKING:
    from llmmigrate.arrays import np

KEY_BYTES: Final = 8
SCALE: Final = 1 << (8 * KEY_BYTES)
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Sampled).decode


class Place(NamedTuple):
    """Where a request waits."""

    order: float
    name: int
    """The first 8 bytes of the key's hash: equal requests of both samples have the same."""
    at: int
    size: int


class Sample(NamedTuple):
    """What was drawn from a log."""

    canary: list[Place]
    """In the order of u: the order in which pairs are sent and judged."""
    cost: list[tuple[Place, int]]
    """Requests of the cost sample in the order of their u, and how often each was drawn."""
    population: int
    """Calls that could have been drawn."""
    population_tokens: int
    """Their logged tokens, where usage is known."""
    digest: str
    """SHA-256 over the keys of both samples, to tell whether a log still gives the same sample."""
    left_out: Mapping[str, int]
    """Why calls could not be drawn → how many."""
    bodies: "Bodies"

    def sessions(self) -> int:
        """How many sessions the canary has, where whole ones were drawn; a request without a session is one."""
        return len({place.order for place in self.canary})

    def cost_only(self) -> list[Place]:
        """Requests of the cost sample that are not in the canary."""
        canary = {place.name for place in self.canary}
        return list({place.name: place for place, _ in self.cost if place.name not in canary}.values())


class Bodies:
    """Requests in a temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="llmmigrate-sample-")  # noqa: SIM115 - it lives as long as the sample
        self._end = 0

    def add(self, asked: Sampled) -> Place:
        """Store a request."""
        data = _encode(asked)
        self._file.seek(self._end)
        self._file.write(data)
        place = Place(asked.order, _name(asked.key), self._end, len(data))
        self._end += len(data)
        return place

    def get(self, place: Place) -> Sampled:
        """The request at a place."""
        self._file.seek(place.at)
        return _decode(self._file.read(place.size))

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


class Drawer:
    """Draws both samples while the log is read. Feed it with the reader's calls."""

    def __init__(
        self, *, share: float, seed: int, cost_draws: int, wanted: Callable[[Call], bool], by_session: bool = False
    ) -> None:
        """`wanted`: whether a call is one of the traffic that may move. `by_session`: u is the session's."""
        self._share = share
        self._seed = seed
        self._wanted = wanted
        self._by_session = by_session
        self._bodies = Bodies()
        self._canary: dict[int, Place] = {}
        self._slots: list[Place | None] = [None] * cost_draws
        self._random = _generator(seed) if cost_draws else None
        self.population = 0
        self.population_tokens = 0
        self.left_out: Counter[str] = Counter()

    def add(self, call: Call, where: str) -> None:
        """Take a call into account."""
        reason = self._unfit(call)
        if reason is not None:
            self.left_out[reason] += 1
            return
        key = key_of(call)
        asked: Sampled | None = None
        order = order_of(self._seed, call.session_id if self._by_session and call.session_id else key)
        name = _name(key)
        if name in self._canary:
            self.left_out["repeated"] += 1
            return
        self.population += 1
        if order < self._share:
            asked = _sampled(call, key, order, where)
            self._canary[name] = self._bodies.add(asked)
        if self._random is not None and call.usage == "known":
            self._draw(call, asked or _sampled(call, key, order, where))

    def _unfit(self, call: Call) -> str | None:
        if not self._wanted(call):
            return "other_model"
        if not call.request:
            return "no_request_text"
        if dialect_of(call.request) is None:
            return "not_a_chat_request"
        return None if _is_unicode(call) else "not_unicode"

    def _draw(self, call: Call, asked: Sampled) -> None:
        """Let each slot take this call with probability tokens / tokens so far: draws with replacement."""
        tokens = call.input_tokens + call.output_tokens
        if not tokens or self._random is None:
            return
        self.population_tokens += tokens
        taken = int(self._random.binomial(len(self._slots), tokens / self.population_tokens))
        if taken:
            place = self._bodies.add(asked)
            for slot in self._random.choice(len(self._slots), size=taken, replace=False).tolist():
                self._slots[slot] = place

    def sample(self) -> Sample:
        """What was drawn."""
        canary = sorted(self._canary.values())
        drawn = Counter(place for place in self._slots if place is not None)
        cost = sorted(drawn.items())
        digest = hashlib.sha256()
        for place in (*canary, *(place for place, _ in cost)):
            digest.update(self._bodies.get(place).key.encode() + b"\0")
        return Sample(
            canary, cost, self.population, self.population_tokens, digest.hexdigest(), dict(self.left_out), self._bodies
        )


def _is_unicode(call: Call) -> bool:
    """Whether the text can be sent at all: a log may hold half a surrogate pair."""
    try:
        _encode((call.request_id, call.request, call.reply, call.tool_calls))
    except UnicodeEncodeError:
        return False
    return True


def key_of(call: Call) -> str:
    """A call's identity: its request id, else a hash of its request's canonical form."""
    if call.request_id is not None:
        return call.request_id
    return "sha256:" + hashlib.sha256(canonical_json(call.request or {})).hexdigest()


def _name(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:KEY_BYTES], "big")


def order_of(seed: int, key: str) -> float:
    """The place of a key in [0, 1)."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:KEY_BYTES], "big") / SCALE


def _sampled(call: Call, key: str, order: float, where: str) -> Sampled:
    request: dict[str, Any] = call.request or {}
    dialect = dialect_of(request)
    assert dialect is not None  # `_unfit` lets no other request pass
    answered = call.reply is not None or call.tool_calls is not None
    return Sampled(
        key=key,
        order=order,
        place=where,
        request=request,
        dialect=dialect,
        logged=answer_of(call) if answered else None,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        reasoning_tokens=call.reasoning_tokens if call.usage == "known" else None,
        session=call.session_id,
        tags=tuple(sorted(call.tags.items())),
    )


def _generator(seed: int) -> "np.random.Generator":
    from llmmigrate.arrays import np

    return np.random.default_rng(seed)
