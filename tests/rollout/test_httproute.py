"""The Kubernetes files: as they were last looked at, and by the rules of the Gateway API and of Argo's template.

The rules are those of `gateway.networking.k8s.io/v1` (its CRD, standard channel) as far as a route of ours, or one with
filters, could break them. No cluster was asked.
"""

import copy
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.conftest import Outcome
from tests.rollout.conftest import PLAN

from llmmigrate.rollout.emission import emit, gateway_of
from llmmigrate.rollout.plan import BACK, Plan, load, parse

GOLDEN = Path(__file__).with_name("golden") / "httproute"
LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NAME = {"type": "string", "pattern": rf"^{LABEL}(\.{LABEL})*$", "minLength": 1, "maxLength": 253}
SERVICE = {"type": "string", "pattern": rf"^{LABEL}$", "minLength": 1, "maxLength": 63}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
DURATION = {"type": "string", "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"}
HOST = {"type": "string", "pattern": rf"^{LABEL}(\.{LABEL})*$", "minLength": 1, "maxLength": 253}


def record(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object with these fields and no other; a CRD prunes what it does not know, so that a typo would be lost."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def listed(items: Any, most: int, least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


TEXT = {"type": "string", "minLength": 1, "maxLength": 4096}
WHERE = {"type": "string", "maxLength": 1024}
HEADER_NAME = {"type": "string", "pattern": "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$"}
HEADER = record("name value", name=HEADER_NAME, value=TEXT)
HEADERS = record(set=listed(HEADER, 16), add=listed(HEADER, 16), remove=listed(TEXT, 16))
TARGET = {"name": NAME, "namespace": NAME, "group": {"type": "string"}, "kind": {"type": "string"}, "port": PORT}
WHOLE = record("type replaceFullPath", type={"const": "ReplaceFullPath"}, replaceFullPath=WHERE)
PREFIX = record("type replacePrefixMatch", type={"const": "ReplacePrefixMatch"}, replacePrefixMatch=WHERE)
PATH_CHANGE = {"oneOf": [WHOLE, PREFIX]}
MOVED: dict[str, Any] = {"scheme": {"enum": ["http", "https"]}, "port": PORT, "statusCode": {"enum": [301, 302]}}
FILTERS: dict[str, tuple[str, Any]] = {
    "RequestHeaderModifier": ("requestHeaderModifier", HEADERS),
    "ResponseHeaderModifier": ("responseHeaderModifier", HEADERS),
    "RequestMirror": ("requestMirror", record("backendRef", backendRef=record("name port", **TARGET))),
    "RequestRedirect": ("requestRedirect", record(**MOVED, hostname=HOST, path=PATH_CHANGE)),
    "URLRewrite": ("urlRewrite", record(hostname=HOST, path=PATH_CHANGE)),
    "ExtensionRef": ("extensionRef", record("group kind name", group=WHERE, kind=TEXT, name=NAME)),
}
"""The field of each type of a filter: it must be there, and no other."""
FILTER = {
    "oneOf": [record(f"type {field}", type={"const": kind}, **{field: body}) for kind, (field, body) in FILTERS.items()]
}
WEIGHT = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
BACKEND = record("name port", **{**TARGET, "name": SERVICE}, weight=WEIGHT, filters=listed(FILTER, 16))
PLAIN_PATH = {"type": "string", "pattern": "^/(?!.*//)(?!.*/\\.\\.?(/|$))(?!.*[#%])", "maxLength": 1024}
PATH = record(type={"enum": ["Exact", "PathPrefix"]}, value=PLAIN_PATH)
RULE = record(
    name=NAME,
    matches=listed(record(path=PATH, headers=listed({"type": "object"}, 16), method={"type": "string"}), 64),
    filters=listed(FILTER, 16),
    backendRefs=listed(BACKEND, 16),
    timeouts=record(request=DURATION, backendRequest=DURATION),
)
ROUTE = record(
    "apiVersion kind metadata spec",
    apiVersion={"const": "gateway.networking.k8s.io/v1"},
    kind={"const": "HTTPRoute"},
    metadata=record("name", name=NAME, namespace=SERVICE, labels={"type": "object"}, annotations={"type": "object"}),
    spec=record(
        "parentRefs rules",
        parentRefs=listed(record("name", **TARGET, sectionName=NAME), 32, 1),
        hostnames=listed({"type": "string"}, 16),
        rules=listed(RULE, 16, 1),
    ),
)
METRIC = record(
    "name provider",
    name={"type": "string"},
    interval={"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"},
    failureLimit={"type": "integer", "minimum": 0},
    successCondition={"type": "string"},
    provider=record(
        "web", web=record("url", url={"type": "string", "pattern": "^https?://"}, jsonPath={"type": "string"})
    ),
)
ANALYSIS = record(
    "apiVersion kind metadata spec",
    apiVersion={"const": "argoproj.io/v1alpha1"},
    kind={"const": "AnalysisTemplate"},
    metadata=record("name", name=NAME),
    spec=record("metrics", metrics=listed(METRIC, 100, 1)),
)
PLANS = {
    "golden": (GOLDEN / "migration.yaml").read_text(),
    "three": PLAN,
    "sticky": PLAN + "sticky: x-user-id\n",
    "odd name": PLAN.replace("name: o3-to-glm5", "name: A_.-B..c-"),
}


def route_of(plan: Plan, share: Decimal) -> Any:
    return yaml.safe_load(gateway_of("httproute").files(plan, share)["httproute.yaml"])


def test_the_files_are_as_they_were() -> None:
    """After a wanted change: see the golden plan's first line, and look at the difference."""
    emission = emit(load(GOLDEN / "migration.yaml"), "httproute", "shadow")
    made = {name: text for name, text in emission.files.items() if name.endswith(".yaml")}
    kept = {str(path.relative_to(GOLDEN)): path.read_text() for path in GOLDEN.rglob("*.yaml")}
    del kept["migration.yaml"]
    assert sorted(made) == [
        "analysis.yaml",
        "httproute.yaml",
        *(f"stages/{name}/httproute.yaml" for name in ("back", "canary", "full", "shadow")),
    ]
    assert made == kept


@pytest.mark.parametrize("which", PLANS)
def test_every_stage_is_a_route_that_the_gateway_api_takes(which: str) -> None:
    plan = parse(PLANS[which], "p")
    for name in [*(stage.name for stage in plan.stages), BACK]:
        share = plan.stage(name).part
        route = route_of(plan, share)
        jsonschema.validate(route, ROUTE)
        (rule,) = route["spec"]["rules"]
        weights = {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}
        ports = {backend["name"]: backend["port"] for backend in rule["backendRefs"]}
        assert set(weights) == {"current", "target"}
        assert sum(weights.values()) == 10_000
        assert Decimal(weights["target"]) / 10_000 == share
        assert ports == {role: plan.provider(role).endpoint.port for role in ("current", "target")}


@pytest.mark.parametrize("which", PLANS)
def test_the_analysis_asks_what_the_watch_answers(which: str) -> None:
    plan = parse(PLANS[which], "p")
    analysis = yaml.safe_load(gateway_of("httproute").files(plan, Decimal(0))["analysis.yaml"])
    jsonschema.validate(analysis, ANALYSIS)
    assert analysis["metadata"] == route_of(plan, Decimal(0))["metadata"]
    (metric,) = analysis["spec"]["metrics"]
    assert metric["interval"] == f"{int(plan.monitoring.every)}s"
    assert metric["provider"]["web"]["jsonPath"] == "{$.verdict}"
    assert re.findall(r'result != "(\w+)"', metric["successCondition"]) == ["rolled_back", "due"]


def weight_of(value: Any) -> Callable[[Any], None]:
    return lambda rule: rule["backendRefs"][1].update(weight=value)


BROKEN: dict[str, Callable[[Any], Any]] = {
    "a weight below 0": weight_of(-1),
    "a weight above a million": weight_of(1_000_001),
    "a weight that is no whole number": weight_of(0.5),
    "a service without a port": lambda rule: rule["backendRefs"][0].pop("port"),
    "a port that there is not": lambda rule: rule["backendRefs"][0].update(port=65536),
    "a service's name with a dot": lambda rule: rule["backendRefs"][0].update(name="api.openai.com"),
    "a field that there is not": lambda rule: rule["backendRefs"][0].update(wieght=1),
    "a time that is none": lambda rule: rule["timeouts"].update(request="1.5s"),
    "a path that is none": lambda rule: rule["matches"][0]["path"].update(value="v1"),
    "a filter without its field": lambda rule: rule.update(filters=[{"type": "URLRewrite"}]),
    "a filter with another's field": lambda rule: rule.update(
        filters=[{"type": "URLRewrite", "requestHeaderModifier": {}}]
    ),
    "a filter that there is not": lambda rule: rule["backendRefs"][0].update(filters=[{"type": "Lua"}]),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_rules_refuse(what: str) -> None:
    route = route_of(parse(PLAN, "p"), Decimal("0.1"))
    broken = copy.deepcopy(route)
    BROKEN[what](broken["spec"]["rules"][0])
    assert broken != route
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, ROUTE)


def test_the_rules_take_filters_that_are_right() -> None:
    route = route_of(parse(PLAN, "p"), Decimal("0.1"))
    rewrite = {"hostname": "api.z.ai", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/api/paas/v4"}}
    route["spec"]["rules"][0]["backendRefs"][1]["filters"] = [{"type": "URLRewrite", "urlRewrite": rewrite}]
    jsonschema.validate(route, ROUTE)


def test_a_name_that_kubernetes_does_not_take_is_written_so_that_it_does() -> None:
    route = route_of(parse(PLANS["odd name"], "p"), Decimal(0))
    assert route["metadata"]["name"] == "a.b.c"


def test_the_whole_traffic_needs_no_drill_that_cannot_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, llmmigrate: Callable[..., Outcome]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("migration.yaml").write_text(
        f"{PLAN}gateway: {{kind: httproute}}\nstages: [{{name: shadow, share: 0%}}, {{name: full, share: 100%}}]\n"
    )
    assert llmmigrate("rollout", "emit", "--stage", "shadow").code == 0
    taken = llmmigrate("rollout", "stage", "migration.yaml", "full")
    assert (taken.code, "kubectl apply" in taken.err) == (0, True), taken.err
