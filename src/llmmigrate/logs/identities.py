"""Which calls were seen before: packed fingerprints, 16 bytes an identity.

Two 64-bit numbers are kept for each identity: the hash of its id and a fingerprint of its content. Recent ones live in
a dictionary; many are packed into sorted runs, behind a bit map that answers "certainly new" without a search. Runs
beyond a limit go to a temporary file.
"""

import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from xxhash import xxh3_64_intdigest

from llmmigrate.usage.call import Call

if TYPE_CHECKING:
    from llmmigrate.arrays import np

    Words = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]

MASK: Final = (1 << 64) - 1
RECENT: Final = 1 << 16
FAN: Final = 6
"""So many runs of one level are merged into one of the next; runs of the last level stay."""
LEVELS: Final = 3
RUNS_IN_MEMORY: Final = 128
"""What comes after so many runs of the last level (about half a GiB) lies in temporary files."""
BITS_PER_IDENTITY: Final = 8


class Seen(NamedTuple):
    """What earlier calls of the same identity were."""

    duplicate: bool
    """The same call was read before."""
    known: bool
    """The identity was seen before, with another content."""
    failed_before: bool


class Identities:
    """The identities seen so far."""

    def __init__(self) -> None:
        self._recent: dict[int, list[int]] = {}
        self._recent_count = 0
        self._levels: list[list[Words]] = [[] for _ in range(LEVELS)]
        self._bits: Any = None
        self._bit_shift = 0
        self._packed = 0

    def look(self, id_hash: int, fingerprint: int) -> Seen:
        """What is known of an identity; adds the fingerprint unless the call is a duplicate."""
        held = [*self._recent.get(id_hash, ()), *self._search(id_hash)]
        if fingerprint in held:
            return Seen(True, True, False)
        self._recent.setdefault(id_hash, []).append(fingerprint)
        self._recent_count += 1
        if self._recent_count >= RECENT:
            self.pack()
        return Seen(False, bool(held), any(not entry & 1 for entry in held))

    def pack(self) -> None:
        """Move the recent identities into a sorted run."""
        from llmmigrate.arrays import np

        if not self._recent_count:
            return
        pairs = [(key, entry) for key, entries in self._recent.items() for entry in entries]
        words = np.ascontiguousarray(np.array(pairs, dtype=np.uint64).reshape(-1, 2).T)
        self._recent, self._recent_count = {}, 0
        self.add_sorted(words[:, words[0].argsort()])

    def add_sorted(self, words: "Words") -> None:
        """Add id hashes (row 0, sorted) and fingerprints (row 1), none of which is held yet."""
        self._note_bits(words[0])
        self._keep(words, 0)

    def runs(self) -> "Iterator[Words]":
        """All packed runs, each sorted by id hash."""
        for level in self._levels:
            yield from level

    def _keep(self, run: "Words", number: int) -> None:
        from llmmigrate.arrays import np

        level = self._levels[number]
        if number == LEVELS - 1:
            level.append(run if len(level) < RUNS_IN_MEMORY else _on_disk(run))
            return
        level.append(run)
        if len(level) == FAN:
            merged = np.concatenate(level, axis=1)
            level.clear()
            self._keep(merged[:, merged[0].argsort()], number + 1)

    def seen(self, id_hashes: "Words") -> Any:
        """For each id hash whether it was seen before; quick where they are sorted."""
        from llmmigrate.arrays import np

        self.pack()
        found = np.zeros(len(id_hashes), dtype=bool)
        if self._bits is None:
            return found
        positions = id_hashes >> np.uint64(self._bit_shift)
        bits = self._bits[positions >> np.uint64(3)] >> (positions & np.uint64(7)).astype(np.uint8)
        maybe = np.flatnonzero(bits & 1)
        wanted = id_hashes[maybe]
        for run in self.runs():
            places = np.minimum(np.searchsorted(run[0], wanted), run.shape[1] - 1)
            found[maybe[run[0][places] == wanted]] = True
        return found

    def _search(self, id_hash: int) -> Iterator[int]:
        if self._bits is None:
            return
        position = id_hash >> self._bit_shift
        if not (int(self._bits[position >> 3]) >> (position & 7)) & 1:
            return
        for run in self.runs():
            yield from _in_run(run, id_hash)

    def _note_bits(self, id_hashes: "Words") -> None:
        self._packed += len(id_hashes)
        if self._bits is None or self._packed * BITS_PER_IDENTITY >= len(self._bits) * 8:
            self._grow_bits()
        self._set_bits(id_hashes)

    def _grow_bits(self) -> None:
        from llmmigrate.arrays import np

        length = max(20, (self._packed * BITS_PER_IDENTITY).bit_length())
        self._bits, self._bit_shift = np.zeros(1 << length - 3, dtype=np.uint8), 64 - length
        for run in self.runs():
            self._set_bits(run[0])

    def _set_bits(self, id_hashes: "Words") -> None:
        from llmmigrate.arrays import np

        positions = id_hashes >> np.uint64(self._bit_shift)
        bits = np.left_shift(np.uint8(1), (positions & np.uint64(7)).astype(np.uint8))
        np.bitwise_or.at(self._bits, positions >> np.uint64(3), bits)


def _in_run(run: "Words", id_hash: int) -> Iterator[int]:
    from llmmigrate.arrays import np

    column = run[0]
    at = int(np.searchsorted(column, np.uint64(id_hash)))
    while at < len(column) and int(column[at]) == id_hash:
        yield int(run[1, at])
        at += 1


def _on_disk(run: "Words") -> "Words":
    from llmmigrate.arrays import np

    with tempfile.TemporaryFile(prefix="llmmigrate-identities-") as file:
        run.tofile(file)
        file.flush()
        return np.memmap(file, dtype=np.uint64, mode="r", shape=run.shape)


def hash_text(text: str) -> int:
    """A stable 64-bit hash of a string."""
    return xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


def id_hash(text: str) -> int:
    """The hash of an id: Python's own, which is quick and differs from process to process. It is never saved."""
    return hash(text) & MASK


def id_hashes(texts: Sequence[str]) -> "Words":
    """`id_hash` of many ids."""
    from llmmigrate.arrays import np

    return np.fromiter(map(hash, texts), dtype=np.int64, count=len(texts)).view(np.uint64)


def mix(*numbers: int) -> int:
    """A 64-bit fingerprint of integers (multiply and shift; the constants are those of splitmix64)."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = ((state ^ (number & MASK)) * 0xBF58476D1CE4E5B9) & MASK
        state ^= state >> 29
    return state


def fingerprint(call: Call) -> int:
    """What makes two calls of one identity the same call; bit 0 is set for success."""
    start = -1 if call.start_ns is None else call.start_ns
    mixed = mix(
        start,
        hash_text(series_text(call.model, call.service_tier)),
        call.input_tokens,
        call.cached_input_tokens,
        call.cache_write_5m_tokens,
        call.cache_write_1h_tokens,
        call.output_tokens,
        call.reasoning_tokens,
    )
    return (mixed & ~1 & MASK) | (call.error is None)


def series_text(model: str | None, tier: str) -> str:
    """What tells calls of equal counts and time apart: the model, and the tier that served."""
    return f"{model or ''}\0{tier}"


def anonymous_hash(call: Call) -> int:
    """The hash under which a call without an id is kept, only to notice that equal lines occur."""
    latency = -1 if call.latency_ms is None else round(call.latency_ms * 1000)
    return mix(1, 0 if call.start_ns is None else call.start_ns, latency, hash_text(call.session_id or ""))
