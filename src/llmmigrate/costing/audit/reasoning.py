"""How much a model is to think, written as its endpoint wants it: an effort, a budget of tokens, a switch."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from llmmigrate.costing.audit.conversation import shown
from llmmigrate.costing.audit.findings import Ledger
from llmmigrate.costing.audit.requests import Body, Features
from llmmigrate.costing.audit.targets import Target

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""From no thinking to the most."""
BUDGETS: Final[Mapping[str, int]] = {
    "minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 32_768, "max": 65_536,
}  # fmt: skip
"""Our own table: no vendor says which budget an effort is. docs/audit.md shows it."""
_KEYS: Final = ("reasoning_effort", "reasoning", "thinking")
LEAST_BUDGET: Final = 1024
"""Anthropic's smallest budget."""


def write_reasoning(body: Body, asked: Features, target: Target, ledger: Ledger) -> None:
    """Put the wish for thinking into a body of the target's dialect; notes what that changes."""
    wish = wished(asked)
    if wish is None:
        if asked.reasoning_effort is not None:
            _say_unheard(body, asked.reasoning_effort, ledger)
        return
    before = _taken_out(body)
    if target.can("reasoning") is False:
        ledger.note("reasoning", "translated", "the wish for thinking left out: the target does not think")
        return
    if target.thinking is None and not target.efforts and before:
        body.update(before)
        ledger.note("reasoning", "unknown", "the wish for thinking is sent as it is, not known to be taken")
        return
    level = nearest(wish, target.efforts)
    _put(body, level, asked, target, ledger)
    _say(before, body, wish, level, target, ledger)


def wished(asked: Features) -> str | None:
    """The effort that a request asks for; None where it asks for none."""
    if asked.reasoning is False:
        return "none"
    if asked.reasoning_effort in EFFORTS:
        return asked.reasoning_effort
    if asked.reasoning_budget is not None:
        above = (effort for effort, budget in BUDGETS.items() if asked.reasoning_budget <= budget)
        return next(above, "max")
    return "high" if asked.reasoning else None


def nearest(wish: str, known: Sequence[str]) -> str:
    """The known effort nearest to the wish, the higher of two; the wish where none is known."""
    places = [EFFORTS.index(effort) for effort in known if effort in EFFORTS]
    if not places:
        return wish
    place = EFFORTS.index(wish)
    return EFFORTS[min(places, key=lambda other: (abs(other - place), -other))]


def _say_unheard(body: Body, effort: str, ledger: Ledger) -> None:
    """An effort of no known name stays where it stands, and goes into no other dialect."""
    if any(key in body for key in (*_KEYS, "output_config")):
        ledger.note("reasoning", "unknown", f"the effort '{shown(effort)}' is sent as it is, not known to be taken")
    else:
        ledger.note("reasoning", "refused", f"the effort '{shown(effort)}' has no counterpart")


def _taken_out(body: Body) -> dict[str, Any]:
    """Take every wish for thinking out of a body, in whatever form; what was there."""
    found: dict[str, Any] = {key: body.pop(key) for key in _KEYS if key in body}
    config = body.get("output_config")
    if isinstance(config, dict) and "effort" in config:
        found["output_config"] = config
        body["output_config"] = {key: value for key, value in config.items() if key != "effort"}
        if not body["output_config"]:
            del body["output_config"]
    return found


def _put(body: Body, level: str, asked: Features, target: Target, ledger: Ledger) -> None:
    switch = {"type": "disabled" if level == "none" else "enabled"}
    if target.dialect == "openai-responses":
        body["reasoning"] = {"effort": level}
    elif target.dialect == "openai-chat":
        if target.thinking == "switch":
            body["thinking"] = switch
        if target.thinking != "switch" or (target.efforts and level != "none"):
            body["reasoning_effort"] = level
    elif level == "none":
        body["thinking"] = {"type": "disabled"}
    elif target.thinking == "adaptive":
        body["thinking"] = {"type": "adaptive"}
        body["output_config"] = {**body.get("output_config", {}), "effort": level}
    else:
        _put_budget(body, asked.reasoning_budget or BUDGETS[level], ledger)


def _put_budget(body: Body, budget: int, ledger: Ledger) -> None:
    """A budget below `max_tokens`, as Anthropic demands; `max_tokens` makes room for the smallest."""
    limit = max(body.get("max_tokens") or 0, LEAST_BUDGET + 1)
    if limit != body.get("max_tokens"):
        ledger.note("max_tokens", "translated", f"max_tokens raised to {limit:,}, for the smallest budget")
    body["max_tokens"] = limit
    body["thinking"] = {"type": "enabled", "budget_tokens": max(LEAST_BUDGET, min(budget, limit - 1))}
    for fixed in ("temperature", "top_k"):  # Anthropic refuses both beside a budget
        if body.pop(fixed, None) is not None:
            ledger.note(fixed, "translated", f"{fixed} left out: the target refuses it while it thinks")


def _say(before: dict[str, Any], body: Body, wish: str, level: str, target: Target, ledger: Ledger) -> None:
    after = {key: body[key] for key in before if key in body}
    if before and after == before:
        ledger.note("reasoning", "ok", "")
        return
    change = f"effort {wish}" if wish == level else f"effort {wish} becomes {level}, the nearest that the target takes"
    known = target.thinking is not None or bool(target.efforts)
    ledger.note("reasoning", "translated" if known else "unknown", f"thinking as the target asks for it: {change}")
