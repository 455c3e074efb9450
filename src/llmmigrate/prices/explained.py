"""Where a price library says something else than our tables, and why we stay: `pricing/explained.yaml`.

An explanation holds for the very figures that it names. Once the library says something else, it explains nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

from llmmigrate import quantities
from llmmigrate.annotations import About, Written
from llmmigrate.errors import ConfigError, Location
from llmmigrate.typed_yaml import Source, compose, convert

FILE_NAME: Final = "explained.yaml"

Number = Annotated[Decimal, Written(quantities.number, "2.60", ("string", "number"))]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a model's price is not what a library says."""

    model: Annotated[str, About("As provider/model.")]
    says: Annotated[dict[str, dict[str, Number]], About("Source → rate → what it says, per 1M tokens.")]
    reason: str
    source: Annotated[str, About("What shows it, grade first.")]
    read: Annotated[str, About("The day on which it was read, YYYY-MM-DD.")]


@dataclass(frozen=True, kw_only=True)
class Explanations:
    """All of them."""

    schema: Annotated[int, About("Version of this file's form.")]
    explained: tuple[Explanation, ...]

    def why(self, source: str, model: str, rate: str, said: Decimal) -> str | None:
        """Why the source's figure is not followed; None where nothing explains it."""
        return next(
            (each.reason for each in self.explained if each.model == model and _says(each, source, rate) == said), None
        )

    def figures(self) -> set[tuple[str, str, str]]:
        """All (source, provider/model, rate) that are explained."""
        says = ((each.model, source, rates) for each in self.explained for source, rates in each.says.items())
        return {(source, model, rate) for model, source, rates in says for rate in rates}


def read_explanations(directory: Path) -> Explanations:
    """The file of a folder of tables; none where there is none. ConfigError for a broken one."""
    path = directory / FILE_NAME
    if not path.is_file():
        return Explanations(schema=1, explained=())
    source = Source(path.read_text(encoding="utf-8"), str(path))
    node = compose(source)
    if node is None:
        raise ConfigError("the file is empty", where=Location(str(path), 1), fix="start with `schema: 1`")
    found: Explanations = convert(node, Explanations, source)
    return found


def _says(explanation: Explanation, source: str, rate: str) -> Decimal | None:
    rates: Mapping[str, Decimal] = explanation.says.get(source, {})
    return rates.get(rate)
