"""The command lines that go on with what has spent money: printed so that they can be typed as they are."""

import os
import shlex
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from llmmigrate.cli.shadow_options import ShadowOptions
from llmmigrate.errors import EndpointError

if TYPE_CHECKING:
    from llmmigrate.shadow.runs import Plan

NO_MORE: Final[Mapping[str, str]] = MappingProxyType({})


def resumed(folder: Path, options: ShadowOptions, *, more: Mapping[str, str] = NO_MORE) -> str:
    """Goes on with the run in `folder`, by the settings and caps of `options`; `more`: caps in their place."""
    from llmmigrate.shadow.runs import load_plan

    words = ["llmmigrate", "shadow", "--resume", folder.name, *given("--config", options.config)]
    plan = load_plan(folder)
    typed = {"--max-cost": options.max_cost, "--max-tokens-total": options.max_tokens_total}
    planned = {"--max-cost": plan.max_cost, "--max-tokens-total": plan.max_tokens_total}
    for option, value in {**typed, **more}.items():
        if value != planned[option]:
            words += given(option, value)
    return shlex.join(words)


def larger_caps(max_cost: Decimal, token_cap: int | None, *, cost_is_short: bool) -> dict[str, str]:
    """Options that leave a stopped run room: twice what it had of all that may have stopped it.

    `cost_is_short`: the cap in dollars may have been in the way; without a cap in tokens it was.
    """
    caps = {} if token_cap is None else {"--max-tokens-total": str(2 * token_cap)}
    return caps | ({"--max-cost": f"{2 * max_cost:f}"} if cost_is_short or token_cap is None else {})


def estimated(plan: "Plan", folder: Path, options: ShadowOptions) -> str:
    """Estimates the calls of a run's logs by what the run has measured."""
    logs = [os.path.relpath(path) for path in plan.logs]
    words = ["llmmigrate", "estimate", *logs, "--to", plan.target, "--calibration", os.path.relpath(folder)]
    for name in ("since", "until", "tz", "provider", "log_format"):
        words += given(f"--{name.replace('_', '-')}", getattr(plan, name))
    for text in plan.where:
        words += ["--where", text]
    for text in options.alias:
        words += ["--alias", text]
    return shlex.join([*words, *given("--config", options.config)])


def given(option: str, value: object) -> list[str]:
    """The words of an option; none without a value."""
    return [] if value is None else [option, str(value)]


def told(error: EndpointError, step: str) -> EndpointError:
    """The error, with how to go on once it is mended: what was answered is paid and kept."""
    error.fix = f"{error.fix}; then go on with {step}" if error.fix else f"go on with {step}"
    return error
