"""LiteLLM's proxy: a group of two deployments a model, a program beside it that draws, and chains of fallback groups.

Settings that decide what is lost (measured, docs/rollout.md): a time-out of its own for each deployment, because the
proxy's is 6,000 s; no retries of the client and the router, which would wait before a fallback is tried; a fallback
group that holds only the current provider, so that a fallback cannot draw the target again. `_litellm_stage.py` draws
and leaves the target alone: LiteLLM reads its weights at the start only, counts failures by the minute and not in a
row, and passes over streams that are cut (docs/decisions/0010-litellm-draws-by-a-program.md). Looked at and left as
LiteLLM has them, because they cost nothing that shows: log level, its `prometheus` callback (a tenth of a request, and
what people watch), the parser of HTTP.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from llmmigrate.endpoints.http import HttpError, get_text
from llmmigrate.errors import GatewayError
from llmmigrate.rollout import Confirming, Counts, Finding, Pace, Program, Reader, Timed, Uptake
from llmmigrate.rollout.gateways._common import (
    common_findings,
    parts,
    readable,
    start_script,
    sticky_finding,
    yaml_text,
)
from llmmigrate.rollout.gateways._prometheus import Sample, samples
from llmmigrate.rollout.plan import Plan, Role

STAGE_FILE: Final = "stage.json"
TAKE_UP: Final = ""
CALLER_KEY: Final = "LITELLM_MASTER_KEY"
PACE: Final = Pace(
    rate=8,
    stream_rate=4,
    share=Decimal("0.5"),
    stream_share=Decimal("0.25"),
    streams=6,
    piece_seconds=0.1,
    boots_quickly=False,
    eject_for=Decimal(8),
    lanes=2,
)
TIMES: Final[Timed | None] = "first_byte"
PROGRAM: Final = Program(
    name="litellm",
    arguments=("--config", "config.yaml", "--telemetry", "False"),
    version=("--version",),
    validate=(),
    placing=("--host", "--port"),
    install="pip install 'litellm[proxy]' prometheus-client, in an environment of its own; LLMMIGRATE_LITELLM names it",
)

_STATES: Final = "litellm_deployment_state"
WAITS_SECONDS: Final = 3.0
_OWN: Final = "llmmigrate_target_"
"""How the metrics of `_litellm_stage.py` begin."""


def files(plan: Plan, share: Decimal) -> Mapping[str, str]:
    """`config.yaml`, `stage.json`, the program that draws and a start script. GatewayError where no model is named."""
    note = f"Emitted by llmmigrate for {plan.name}. Change migration.yaml, not this file.\nStart: ./start.sh"
    program = PROGRAM._replace(arguments=(*PROGRAM.arguments, *PROGRAM.place(plan.gateway.listen)))
    return {
        "config.yaml": yaml_text(_config(plan), note),
        STAGE_FILE: _stage(plan, share),
        "llmmigrate_stage.py": Path(__file__).with_name("_litellm_stage.py").read_text(encoding="utf-8"),
        "start.sh": start_script(plan, program, more_keys=(CALLER_KEY,)),
    }


def _stage(plan: Plan, share: Decimal) -> str:
    """What `_litellm_stage.py` goes by."""
    limit = plan.rollback.latency_p95
    rules = {
        "parts": parts(share),
        "sticky": plan.sticky.lower() if plan.sticky is not None else None,
        "eject_after": plan.failover.eject_after,
        "eject_for": float(plan.failover.eject_for),
        "eject_max": float(max(plan.failover.eject_max, plan.failover.eject_for)),
        "latency_p95": float(limit) if limit is not None else None,
    }
    return json.dumps(rules, indent=1) + "\n"


def findings(plan: Plan) -> Sequence[Finding]:
    """What is exact here and what is not."""
    named = "only the models that the plan names are served"
    own = "llmmigrate_stage.py counts failures in a row, cut streams among them; then one request at a time tries again"
    found = [
        Finding("share", "exact", "llmmigrate_stage.py draws out of 10,000 for each request", "stages"),
        sticky_finding(plan, "exact", "a hash of the header decides; a change of share moves few callers"),
        Finding("fallback", "exact", "groups of one provider each, in order", "providers"),
        Finding("ejection of the target", "exact", own, "failover: eject_after"),
        Finding("ejection of current", "approximate", "tried first each time, then emergency", "failover: eject_after"),
        Finding("model names", "approximate", named, "providers"),
        _parameters_finding(plan),
        Finding(
            "change of stage", "exact", "stage.json is read again when it is replaced; live streams go on", "stages"
        ),
        Finding("metrics", "exact", "attempts, failures and times to the first byte, beside LiteLLM's own", "rollback"),
        Finding("several workers", "manual", "failures are counted by each worker alone"),
    ]
    return [*found, *common_findings(plan)]


def reload(plan: Plan, directory: Path) -> str | None:
    """Nothing to do: the file is looked at for each request."""
    return None


def confirming(plan: Plan, directory: Path) -> Confirming:
    """It shows no stage; whether it runs can be asked."""

    def confirm() -> Uptake:
        try:
            get_text(_metrics_url(plan), seconds=WAITS_SECONDS)
        except HttpError as error:
            there = f"LiteLLM does not answer at {_metrics_url(plan)} ({error})"
            return Uptake(None, f"{there}: when it runs, it goes by the file for each request")
        return Uptake(None, "LiteLLM runs and looks at the file for each request; it does not tell what it has read")

    return confirm


def _metrics_url(plan: Plan) -> str:
    return plan.monitoring.source or f"http://{plan.gateway.listen}/metrics/"


def reader(plan: Plan, directory: Path) -> Reader:
    """Reads LiteLLM's Prometheus metrics: by the plan's `monitoring.source`, else where callers reach it."""
    url = _metrics_url(plan)

    def read() -> Counts:
        try:
            text = get_text(url)
        except HttpError as error:
            fix = "start it: ./start.sh, with the package prometheus-client installed"
            raise GatewayError(f"LiteLLM shows no metrics at {url}", why=str(error), fix=fix) from None
        with readable(url):
            return _counts(text, time.time())

    return read


def _counts(text: str, now: float) -> Counts:
    """Attempts at the target: as `_litellm_stage.py` counts them, without it as LiteLLM does, which tells no times.

    ValueError or KeyError for a text that is no such metrics.
    """
    found = list(samples(text))
    if not found:
        raise ValueError("no metrics in it")
    own = {name.removeprefix(_OWN): value for name, _, value in found if name.startswith(_OWN)}
    if "attempts_total" not in own:
        return _counts_of_litellm(found)
    return Counts(
        attempts=int(own["attempts_total"]),
        errors=int(own["failures_total"]),
        timed=int(own["timed_total"]),
        slow=int(own["slow_total"]),
        ejections=int(own["ejections_total"]),
        ejected=own.get("alone_until", 0.0) > now,
    )


def _counts_of_litellm(found: Sequence[Sample]) -> Counts:
    """From the deployment whose id is `target-…`."""
    of_target = [(name, value) for name, labels, value in found if labels.get("model_id", "").startswith("target-")]
    failed = int(sum(value for name, value in of_target if name == "litellm_deployment_failure_responses_total"))
    good = int(sum(value for name, value in of_target if name == "litellm_deployment_success_responses_total"))
    ejected = any(name == _STATES and value == 2 for name, value in of_target)
    return Counts(attempts=good + failed, errors=failed, timed=0, slow=0, ejections=0, ejected=ejected)


def _parameters_finding(plan: Plan) -> Finding:
    what = "drop_params leaves out what a model does not take, and nothing else"
    changed = any(plan.provider(role).map_params or plan.provider(role).drop_params for role in plan.roles())
    if not changed:
        return Finding("parameters", "exact", "none has to be changed")
    return Finding("parameters", "unsupported", what, "providers: map_params, drop_params")


def _config(plan: Plan) -> dict[str, Any]:
    models = _models(plan)
    if not models:
        raise GatewayError(
            "LiteLLM needs the names of the models that callers use",
            why="a fallback there is a fixed name: a provider would be asked for the model '*'",
            fix="write providers.target.models: {o3: glm-5}, or {o3: o3} where the name stays",
        )
    deployments = [each for model in models for each in _deployments(plan, model)]
    fallbacks = [{model: _fallbacks(plan, model)} for model in models]
    return {
        "model_list": deployments,
        "router_settings": {
            "num_retries": 0,
            "fallbacks": fallbacks,
            "max_fallbacks": len(plan.roles()),
            "disable_cooldowns": True,
        },
        "litellm_settings": {
            "telemetry": False,
            "drop_params": True,
            "request_timeout": float(plan.failover.idle_timeout * len(plan.roles())),
            "callbacks": ["prometheus", "llmmigrate_stage.handler"],
            "require_auth_for_metrics_endpoint": False,
        },
        "general_settings": {"master_key": f"os.environ/{CALLER_KEY}"},
    }


def _models(plan: Plan) -> list[str]:
    """The names that callers use, as far as the plan knows them."""
    return list(dict.fromkeys(name for role in plan.roles() for name in plan.provider(role).models))


def _deployments(plan: Plan, model: str) -> Iterator[dict[str, Any]]:
    """The group that callers name, then one group a provider for the fallbacks."""
    sides: tuple[Role, ...] = ("target", "current")
    for role in sides:
        yield _deployment(plan, role, model, model)
    for role in plan.chain("current"):
        yield _deployment(plan, role, model, f"{model}-{role}")


def _deployment(plan: Plan, role: Role, model: str, group: str) -> dict[str, Any]:
    provider = plan.provider(role)
    silence = float(plan.failover.idle_timeout)
    parameters: dict[str, Any] = {
        "model": f"openai/{provider.models.get(model, model)}",
        "api_base": provider.base_url,
        "api_key": f"os.environ/{provider.key}" if provider.key else "none",
        "timeout": silence,
        "stream_timeout": silence,
        "max_retries": 0,
    }
    kind = "" if group == model else "-fallback"
    return {
        "model_name": group,
        "litellm_params": parameters,
        "model_info": {"id": f"{role}-{model}{kind}"},
    }


def _fallbacks(plan: Plan, model: str) -> list[str]:
    return [f"{model}-{role}" for role in plan.chain("current")]
