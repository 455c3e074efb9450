"""What no price table can hold is left out of an update by name: one slip of a source blocks nothing else."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from llmmigrate.prices.appending import Origin, applied, read_target
from llmmigrate.prices.faults import Fault, faults
from llmmigrate.prices.tables import TableSpec
from llmmigrate.prices.update_results import LeftAlone, Refusal
from llmmigrate.prices.updating import Edit, Plan, is_accepted


def usable(plan: Plan, directory: Path, origin: Origin, accept: Sequence[str] = ()) -> Plan:
    """The plan without the models whose new prices break a rule of price tables, as `faults` has them.

    A new model is left alone, a changed one refused. Nobody can accept what no table can hold: where a changed one is
    accepted, by a pattern of provider/model, it is left alone, too, so that the rest can be written.
    """
    edits: dict[str, Edit] = {}
    why: dict[str, str] = {}
    new = {f"{provider}/{model.id}" for provider, edit in plan.edits.items() for model in edit.models}
    for provider, edit in plan.edits.items():
        broken = _broken(read_target(directory, provider, edit), edit, origin)
        edits[provider] = _without(edit, broken)
        why |= {f"{provider}/{name}": what for name, what in broken.items()}
    refused = [name for name in why if name not in new and not is_accepted(name, accept)]
    return plan._replace(
        edits=edits,
        changed=[each for each in plan.changed if each.model not in why],
        added=[each for each in plan.added if each.model not in why],
        left=[*plan.left, *(_left(name, why[name], new=name in new) for name in why if name not in refused)],
        refused=[*plan.refused, *(Refusal(model=name, why=f"no table can hold it: {why[name]}") for name in refused)],
    )


def _left(name: str, what: str, *, new: bool) -> LeftAlone:
    return LeftAlone(model=name, why=f"{'new' if new else 'accepted'}, but no table can hold it: {what}")


def _broken(spec: TableSpec, edit: Edit, origin: Origin) -> Mapping[str, str]:
    """Models of the edit that would make the table unusable: id → the first rule that each of them breaks."""
    found: dict[str, str] = {}
    while True:  # a model that is out may have hidden the fault of another, such as one of its name
        rest = _without(edit, found)
        touched = {*rest.periods, *(model.id for model in rest.models)}
        more = dict(reversed([item for item in _faults(applied(spec, rest, origin.observed)) if item[0] in touched]))
        if not more:
            return found
        found |= more


def _faults(table: TableSpec) -> Iterator[tuple[str, str]]:
    for fault in faults(table):
        number = _model_number(fault)
        if number is not None:
            yield table.models[number].id, fault.what


def _model_number(fault: Fault) -> int | None:
    if fault.steps[0] == "models" and isinstance(fault.steps[1], int):
        return fault.steps[1]
    return None


def _without(edit: Edit, names: Collection[str]) -> Edit:
    return edit._replace(
        periods={name: periods for name, periods in edit.periods.items() if name not in names},
        models=[model for model in edit.models if model.id not in names],
    )
