"""What `rollout stage` and `rollback` say of a change, and their exit code."""

from typing import TYPE_CHECKING

from llmmigrate.cli.console import Console

if TYPE_CHECKING:
    from llmmigrate.rollout.changing import Change


def show_change(change: "Change", console: Console, more: str = "") -> None:
    """What was changed, and whether the gateway says that it has taken it up."""
    confirmed = ", confirmed by the gateway" if change.uptake.confirmed else ""
    console.result(f"{change.before or 'nothing'} → {change.after} in {change.seconds:.3f} s{more}{confirmed}")
    if change.mended is not None:
        console.warn(f"{change.mended} was not what was emitted: it was written anew, from the plan")
    if change.left_to_do is not None:
        console.warn(change.left_to_do)
    elif not change.uptake.confirmed:
        console.warn(f"written, not confirmed: {change.uptake.words}")


def change_code(change: "Change") -> int:
    """3 where the gateway was asked and does not have the change in force; 0 where it has, or cannot be asked."""
    return 3 if change.uptake.confirmed is False else 0
