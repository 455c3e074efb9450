"""Which targets each part of the traffic can be put to: the audit that a mix asks while its log is read."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from llmmigrate.costing.audit.findings import Finding
from llmmigrate.costing.audit.targets import Target
from llmmigrate.costing.audit.traffic import judged, looked_at
from llmmigrate.usage.call import Call

Key = tuple[str | None, ...]
SourceName = tuple[str | None, str | None]
"""Provider and model as logged."""


class Refusal(NamedTuple):
    """The first call of a part that a target cannot serve."""

    place: str
    finding: Finding

    @property
    def words(self) -> str:
        """Why, in words."""
        return f"the audit refuses {self.place}: {self.finding.words}"


class PartAudit:
    """Takes call after call, as a sink of the reader. A target that has refused one call of a part is asked no more."""

    def __init__(self, targets: Iterable[Target], part_of: Callable[[Call], Key]) -> None:
        self._targets = {target.name: target for target in targets}
        self._part_of = part_of
        self._open: dict[tuple[Key, SourceName], dict[str, Target]] = {}
        self._refusals: dict[tuple[Key, SourceName, str], Refusal] = {}
        self._whole: dict[tuple[Key, SourceName], int] = {}

    def add(self, call: Call, place: str) -> None:
        """Audit one call; `place` is its `file:line`."""
        part = (self._part_of(call), (call.provider, call.model))
        asked, kind = looked_at(call)
        if kind == "whole":
            self._whole[part] = self._whole.get(part, 0) + call.requests
        still = self._open.get(part)
        if still is None:
            still = self._open[part] = dict(self._targets)
        for name, target in list(still.items()):
            refused = next((f for f in judged(call, asked, kind, target) if f.verdict == "refused"), None)
            if refused is not None:
                self._refusals[(*part, name)] = Refusal(place, refused)
                del still[name]

    def refusal(self, part: Key, source: SourceName, target: str) -> Refusal | None:
        """Why a target cannot serve a source model's calls of a part; None where no call speaks against it."""
        return self._refusals.get((part, source, target))

    def whole_calls(self, part: Key, source: SourceName) -> int:
        """The source model's calls of a part whose requests were there to be audited."""
        return self._whole.get((part, source), 0)
