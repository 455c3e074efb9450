"""LiteLLM's proxy: one group of deployments a model, drawn by weight, with chains of fallback groups.

Settings that decide what is lost (measured, docs/rollout.md): a time-out of its own for each deployment, because the
proxy's is 6,000 s; no retries of the client and the router, which would wait before a fallback is tried; a fallback
group that holds only the current provider, so that a fallback cannot draw the target again; an explicit policy for
failures, because the default needs half of a minute's requests to fail; no cooldown of any provider but the target,
because LiteLLM counts failures by the minute and not in a row: a busy current provider with few errors would be left
alone, and everything sent to the target. The file is read at the start only.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from llmmigrate.endpoints.http import HttpError, get_text
from llmmigrate.errors import GatewayError
from llmmigrate.rollout import Counts, Finding, Pace, Program, Reader
from llmmigrate.rollout.gateways._common import common_findings, start_script, sticky_finding, yaml_text
from llmmigrate.rollout.gateways._prometheus import samples
from llmmigrate.rollout.plan import Plan, Role

STAGE_FILE: Final = "config.yaml"
TAKE_UP: Final = ", then start LiteLLM anew (one replica after another)"
CALLER_KEY: Final = "LITELLM_MASTER_KEY"
PACE: Final = Pace(rate=4, stream_rate=2, share=Decimal("0.5"), boots_quickly=False, flips=False, lanes=2)
PROGRAM: Final = Program(
    name="litellm",
    arguments=("--config", "config.yaml", "--telemetry", "False"),
    version=("--version",),
    validate=(),
    placing=("--host", "--port"),
    install="pip install 'litellm[proxy]' prometheus-client, in an environment of its own; LLMMIGRATE_LITELLM names it",
)

_FAILURES: Final = (
    "InternalServerErrorAllowedFails",
    "TimeoutErrorAllowedFails",
    "RateLimitErrorAllowedFails",
    "ServiceUnavailableErrorAllowedFails",
    "BadGatewayErrorAllowedFails",
)
_NEVER: Final = "never: failures are counted by the minute, so few errors of many requests would send all to the target"
_PARTS: Final = 10_000
_STATES: Final = "litellm_deployment_state"


def files(plan: Plan, share: Decimal) -> Mapping[str, str]:
    """`config.yaml` and a start script."""
    note = f"Emitted by llmmigrate for {plan.name}. Change migration.yaml, not this file.\nStart: ./start.sh"
    program = PROGRAM._replace(arguments=(*PROGRAM.arguments, *PROGRAM.place(plan.gateway.listen)))
    return {
        STAGE_FILE: yaml_text(_config(plan, share), note),
        "start.sh": start_script(plan, program, more_keys=(CALLER_KEY,)),
    }


def findings(plan: Plan) -> Sequence[Finding]:
    """What is exact here and what is not."""
    named = "only the models that the plan names are served" if _models(plan) else "any model is passed on"
    found = [
        Finding("share", "exact", "simple-shuffle by weight; drawn at random for each request"),
        sticky_finding(plan, "unsupported", "LiteLLM draws each request by itself"),
        Finding("ejection", "approximate", "counts failures within a minute, in a row or not; eject_max is not known"),
        Finding("streams cut by a provider", "unsupported", "in the drill they did not eject"),
        Finding("ejection of the current provider", "unsupported", _NEVER),
        Finding("model names and keys", "approximate", named),
        Finding("parameters", _parameters_status(plan), "drop_params leaves out what a model does not take"),
        Finding("change of stage", "manual", "config.yaml is read at the start only: start one replica after another"),
        Finding("several workers", "manual", "failures are counted by each worker alone: give redis_host, or use one"),
    ]
    return [*found, *common_findings(plan)]


def reload(plan: Plan, directory: Path) -> str | None:
    """Nothing takes the file up but a new start."""
    return "LiteLLM reads config.yaml at its start only: start it anew, one replica after another"


def reader(plan: Plan, directory: Path) -> Reader:
    """Reads LiteLLM's Prometheus metrics: by the plan's `monitoring.source`, else where callers reach it."""
    url = plan.monitoring.source or f"http://{plan.gateway.listen}/metrics/"

    def read() -> Counts:
        try:
            text = get_text(url)
        except HttpError as error:
            fix = "start it: ./start.sh, with the package prometheus-client installed"
            raise GatewayError(f"LiteLLM shows no metrics at {url}", why=str(error), fix=fix) from None
        return _counts(text)

    return read


def _counts(text: str) -> Counts:
    """Attempts at the target, from the deployment whose id is `target-…`."""
    failed = good = 0
    ejected = False
    for name, labels, value in samples(text):
        if not labels.get("model_id", "").startswith("target-"):
            continue
        if name == "litellm_deployment_failure_responses_total":
            failed += int(value)
        elif name == "litellm_deployment_success_responses_total":
            good += int(value)
        elif name == _STATES:
            ejected = ejected or value == 2
    return Counts(attempts=good + failed, errors=failed, timed=0, slow=0, ejections=0, ejected=ejected)


def _parameters_status(plan: Plan) -> Any:
    mapped = any(plan.provider(role).map_params or plan.provider(role).drop_params for role in plan.roles())
    return "unsupported" if mapped else "exact"


def _config(plan: Plan, share: Decimal) -> dict[str, Any]:
    models = _models(plan) or ["*"]
    deployments = [each for model in models for each in _deployments(plan, model, share)]
    fallbacks = [{model: _fallbacks(plan, model)} for model in models]
    allowed = plan.failover.eject_after - 1
    policy = dict.fromkeys(_FAILURES, allowed) | {"AuthenticationErrorAllowedFails": 0}
    return {
        "model_list": deployments,
        "router_settings": {
            "routing_strategy": "simple-shuffle",
            "num_retries": 0,
            "fallbacks": fallbacks,
            "max_fallbacks": len(plan.roles()),
            "allowed_fails_policy": policy,
            "allowed_fails": allowed,
            "cooldown_time": float(plan.failover.eject_for),
        },
        "litellm_settings": {
            "telemetry": False,
            "drop_params": True,
            "request_timeout": float(plan.failover.idle_timeout * len(plan.roles())),
            "callbacks": ["prometheus"],
            "require_auth_for_metrics_endpoint": False,
        },
        "general_settings": {"master_key": f"os.environ/{CALLER_KEY}"},
    }


def _models(plan: Plan) -> list[str]:
    """The names that callers use, as far as the plan knows them."""
    return list(dict.fromkeys(name for role in plan.roles() for name in plan.provider(role).models))


def _deployments(plan: Plan, model: str, share: Decimal) -> Iterator[dict[str, Any]]:
    """The group that callers name, then one group a provider for the fallbacks."""
    weights: dict[Role, int] = {"target": int(share * _PARTS), "current": _PARTS - int(share * _PARTS)}
    for role, weight in weights.items():
        if weight:
            yield _deployment(plan, role, model, model, weight)
    for role in plan.chain("current"):
        yield _deployment(plan, role, model, f"{model}-{role}", None)


def _deployment(plan: Plan, role: Role, model: str, group: str, weight: int | None) -> dict[str, Any]:
    provider = plan.provider(role)
    silence = float(plan.failover.idle_timeout)
    parameters: dict[str, Any] = {
        "model": f"openai/{provider.models.get(model, model)}",
        "api_base": provider.base_url,
        "api_key": f"os.environ/{provider.key}" if provider.key else "none",
        "timeout": silence,
        "stream_timeout": silence,
        "max_retries": 0,
        "cooldown_time": float(plan.failover.eject_for) if role == "target" else 0.0,
    }
    if weight is not None:
        parameters["weight"] = weight
    kind = "" if weight is not None else "-fallback"
    return {
        "model_name": group,
        "litellm_params": parameters,
        "model_info": {"id": f"{role}-{model}{kind}"},
    }


def _fallbacks(plan: Plan, model: str) -> list[str]:
    return [f"{model}-{role}" for role in plan.chain("current")]
