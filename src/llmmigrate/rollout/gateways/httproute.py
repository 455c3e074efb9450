"""Kubernetes Gateway API: an HTTPRoute with weights, and an Argo AnalysisTemplate that asks the watch.

Argo Rollouts and Flagger move replicas; a provider has none. What fits is the route itself, and an AnalysisRun beside
it whose verdict is that of `llmmigrate rollout watch --serve`. No cluster was asked: the files are held against golden
ones, and against the API's rules.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from llmmigrate.errors import GatewayError
from llmmigrate.rollout import Confirming, Finding, Pace, Program, Reader, Timed
from llmmigrate.rollout.gateways._common import PARTS, common_findings, parts, span, sticky_finding, untold, yaml_text
from llmmigrate.rollout.plan import Plan, Role

STAGE_FILE: Final = "httproute.yaml"
TAKE_UP: Final = ", then `kubectl apply -f httproute.yaml`"
CALLER_KEY: Final = None
PACE: Final = Pace(flips=False)
TIMES: Final[Timed | None] = None
PROGRAM: Final[Program | None] = None


def files(plan: Plan, share: Decimal) -> Mapping[str, str]:
    """`httproute.yaml` and `analysis.yaml`."""
    note = f"Emitted by llmmigrate for {plan.name}. Change migration.yaml, not this file."
    services = "Services current and target stand for the providers; their keys belong to them: see findings.json."
    return {
        STAGE_FILE: yaml_text(_route(plan, share), f"{note}\n{services}"),
        "analysis.yaml": yaml_text(_analysis(plan), note),
    }


def findings(plan: Plan) -> Sequence[Finding]:
    """What is exact here and what is not."""
    keys = ", ".join(key for role in plan.roles() if (key := plan.provider(role).key))
    found = [
        Finding("share", "exact", "weights of 10,000", "stages"),
        sticky_finding(plan, "unsupported", "session persistence of the Gateway API is by backend, not by a header"),
        Finding("fallback", "unsupported", "it has no chain: use the policies of your implementation", "providers"),
        Finding("ejection", "unsupported", "use the policies of your implementation", "failover: eject_after"),
        Finding(
            "model names, parameters, paths, keys",
            "manual",
            f"set by your implementation's backends: {keys}",
            "providers",
        ),
        Finding("change of stage", "manual", "kubectl apply, or a commit for GitOps: rollout watch --exec", "stages"),
        Finding("rollback by the watch", "manual", "an AnalysisRun asks llmmigrate-watch:9109/verdict", "rollback"),
    ]
    return [*found, *common_findings(plan)]


def reload(plan: Plan, directory: Path) -> str | None:
    """A cluster takes up what is applied."""
    return f"apply it: kubectl apply -f {directory / STAGE_FILE}"


def confirming(plan: Plan, directory: Path) -> Confirming:
    """No cluster is asked."""
    return untold("no cluster is asked: kubectl get httproute shows what it has")


def reader(plan: Plan, directory: Path) -> Reader:
    """There is nothing to read. GatewayError."""
    raise GatewayError("an HTTPRoute has no counts of its own", fix="watch the gateway that implements it")


def _route(plan: Plan, share: Decimal) -> dict[str, Any]:
    target = parts(share)
    weights: dict[Role, int] = {"current": PARTS - target, "target": target}
    backends = [{"name": role, "port": plan.provider(role).endpoint.port, "weight": weights[role]} for role in weights]
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}],
        "backendRefs": backends,
        "timeouts": {"request": "0s"},
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": _object_name(plan)},
        "spec": {"parentRefs": [{"name": "llm"}], "rules": [rule]},
    }


def _object_name(plan: Plan) -> str:
    """The plan's name as Kubernetes takes one (RFC 1123): small letters, digits, hyphens inside, parts between dots."""
    plain = re.sub(r"[^a-z0-9.]+", "-", plan.name.lower())
    return ".".join(part for each in plain.split(".") if (part := each.strip("-")))


def _analysis(plan: Plan) -> dict[str, Any]:
    """One question a window: the watch itself counts how many in a row are bad."""
    verdict = {
        "name": "verdict",
        "interval": span(plan.monitoring.every),
        "failureLimit": 0,
        "successCondition": 'result != "rolled_back" && result != "due"',
        "provider": {"web": {"url": "http://llmmigrate-watch:9109/verdict", "jsonPath": "{$.verdict}"}},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": _object_name(plan)},
        "spec": {"metrics": [verdict]},
    }
