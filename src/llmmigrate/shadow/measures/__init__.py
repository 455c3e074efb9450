"""What is measured on each pair: one file a measure, found by its name.

A measure is a module with `NAME`, `KIND`, a one-line `ABOUT`, and the function of its kind:

    figure      value(arm) -> float | Decimal | None       a number of one side; `UNIT` names its unit; money is Decimal
    validity    valid(asked, answer) -> float | None       1 where the answer keeps what the request demands, else 0
    agreement   agree(asked, one, other) -> float | None   how alike two answers to one request are, 0 to 1

None means "does not apply to this request" (no schema was demanded, no tool is offered, the call failed), and never 0.
`NotMeasuredError` says that it applies and failed, and why. `asked` is an `Asked`, `arm` a `shadow.pairs.Arm`, answers
are `shadow.pairs.Answer`. An agreement that goes by different rules for different answers tells which with
`basis(asked, one, other) -> str`; one that needs vectors says `NEEDS = "vectors"` (see `embedding_similarity`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from llmmigrate.costing.audit.requests import Features

Kind = Literal["figure", "validity", "agreement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked: the body as logged, and what it demands of an answer."""

    request: Mapping[str, Any]
    features: Features


class NotMeasuredError(Exception):
    """A measure applies here and could not be taken; the words say why. It is shown as such and never counted as 0."""
