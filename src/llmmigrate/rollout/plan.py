"""`migration.yaml`: who serves the traffic now, who shall, in which stages, and when to go back.

Three providers at most: `current`, `target` and `emergency`. A request of the target's share tries target, current,
emergency in this order; every other request tries current, emergency. Trying again is the gateway's work, request by
request (`failover`); going back to an earlier share is the watch's, window by window (`rollback`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args
from urllib.parse import urlsplit

from llmmigrate import hosts, quantities, registry
from llmmigrate.annotations import About, Written
from llmmigrate.errors import ConfigError, Location, unknown_name
from llmmigrate.typed_yaml import Node, Source, compose, convert, entries, json_schema

FILE_NAME: Final = "migration.yaml"
VERSION: Final = 1

Role = Literal["current", "target", "emergency"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

BACK: Final = "back"
"""The name of the way back: a stage that every plan has and no plan writes."""

_SPAN: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h|d)", re.ASCII)
_UNITS: Final = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}", re.ASCII)
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~%-]+)*/?", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/@+-]{0,199}", re.ASCII)
_NAME_SERVER: Final = re.compile(r"[0-9.]{7,15}(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?", re.ASCII)
_FILE: Final = re.compile(r"[A-Za-z0-9/._-]{1,255}", re.ASCII)
_ADDRESS: Final = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})", re.ASCII)


def seconds(text: str) -> Decimal:
    """A time span in seconds, of ten years at most: `200ms`, `30s`, `5m`, `24h`, `14d`."""
    match = _SPAN.fullmatch(text.strip())
    if match is None or not 0 < Decimal(match[1]) * _UNITS[match[2]] <= 3_660 * _UNITS["d"]:
        raise ValueError(f"'{text}' is no time span: write it like 30s, 5m or 24h")
    return Decimal(match[1]) * _UNITS[match[2]]


def _matching(pattern: "re.Pattern[str]", what: str, example: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise ValueError(f"'{text}' is no {what}: write it like {example}")
        return text

    return parse


def _url(text: str) -> str:
    """A base URL that every gateway can be given: no user, query or odd characters."""
    parts = urlsplit(text)
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}" == text.rstrip("?#")
    host = parts.hostname or ""
    fine = parts.scheme in ("http", "https") and plain and _HOST.fullmatch(host) and _PATH.fullmatch(parts.path)
    if not fine or "@" in parts.netloc or not _port_ok(text):
        raise ValueError(f"'{text}' is no base URL: write it like https://api.openai.com/v1")
    return text.rstrip("/")


def _port_ok(text: str) -> bool:
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


def _address(text: str) -> str:
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise ValueError(f"'{text}' is no address: write it like 127.0.0.1:8080, with a port of 1 to 65535")
    return text


def _environment_name(text: str) -> str:
    name = text.removeprefix("env:")
    if name == text or _VARIABLE.fullmatch(name) is None:
        raise ValueError("write env: and the name of an environment variable, such as env:OPENAI_API_KEY; never a key")
    return name


def hook(text: str) -> str:
    """Who is told of a rollback: a URL, or `env:NAME`. ValueError for anything else."""
    if text.startswith("env:"):
        return f"env:{_environment_name(text)}"
    if not hosts.is_web_address(text):
        raise ValueError(f"'{text}' is no webhook: write https://… or env:NAME")
    return text


url_path: Final = _matching(_PATH, "path", "/metrics")
Seconds = Annotated[Decimal, Written(seconds, "30s")]
Name = Annotated[str, Written(_matching(_NAME, "name", "canary"), "canary")]
Header = Annotated[str, Written(_matching(_HEADER, "name of a header", "x-user-id"), "x-user-id")]
Url = Annotated[str, Written(_url, "https://api.openai.com/v1")]
Key = Annotated[str, Written(_environment_name, "env:OPENAI_API_KEY")]
Hook = Annotated[str, Written(hook, "env:ALERT_WEBHOOK")]
Model = Annotated[str, Written(_matching(_MODEL, "model name", "glm-5"), "glm-5")]
Parameter = Annotated[str, Written(_matching(_VARIABLE, "parameter", "max_tokens"), "max_tokens")]
ListenAddress = Annotated[str, Written(_address, "127.0.0.1:8080")]
NameServer = Annotated[str, Written(_matching(_NAME_SERVER, "address of a name server", "10.0.0.2"), "10.0.0.2")]
PlainFile = Annotated[str, Written(_matching(_FILE, "path of plain letters", "gateway"), "gateway")]
UrlPath = Annotated[str, Written(url_path, "/metrics")]
Part = Annotated[Decimal, Written(quantities.share, "10%", ("string", "number"))]
Size = Annotated[int, Written(quantities.size, "200k", ("string", "integer"))]


class Endpoint(NamedTuple):
    """A base URL in parts: `https`, `api.openai.com`, 443, `/v1`."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def tls(self) -> bool:
        """Whether the provider is reached with TLS."""
        return self.scheme == "https"

    @property
    def literal(self) -> bool:
        """Whether the host is an IPv4 address and needs no name to be resolved."""
        return re.fullmatch(r"[0-9]+(\.[0-9]+){3}", self.host) is not None

    @property
    def authority(self) -> str:
        """What the Host header says: the port only where it is not the scheme's own."""
        usual = 443 if self.tls else 80
        return self.host if self.port == usual else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Provider:
    """An endpoint that speaks the OpenAI dialect, and what has to be changed in a request for it."""

    base_url: Annotated[Url, About("Where requests go, up to and with /v1.")]
    key: Annotated[Key | None, About("env: and the name of the variable that holds the key; never the key.")] = None
    context: Annotated[Size | None, About("Context window in tokens.")] = None
    models: Annotated[dict[str, Model], About("What a model that callers name is called here; others keep it.")] = (
        field(default_factory=dict)
    )
    drop_params: Annotated[tuple[Parameter, ...], About("Parameters of a request that are left out here.")] = ()
    map_params: Annotated[dict[str, Parameter], About("Parameters that have another name here.")] = field(
        default_factory=dict
    )

    @property
    def endpoint(self) -> Endpoint:
        """The base URL in parts."""
        parts = urlsplit(self.base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return Endpoint(parts.scheme, parts.hostname or "", port, parts.path.rstrip("/"))


@dataclass(frozen=True, kw_only=True)
class Providers:
    """Who serves now, who shall, and who is asked when both fail."""

    current: Annotated[Provider, About("Where the traffic is now.")]
    target: Annotated[Provider, About("Where it shall go.")]
    emergency: Annotated[Provider | None, About("Who is asked when both fail, such as a local model.")] = None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A step on the way: how much of the traffic the target gets, and for how long."""

    name: Annotated[Name, About("What the step is called.")]
    share: Annotated[Part | None, About("Part of the requests that the target gets.")] = None
    weights: Annotated[dict[str, int], About("The same as weights of current and target that add up to 100.")] = field(
        default_factory=dict
    )
    for_: Annotated[Seconds | None, About("How long to stay before the next step.")] = None
    min_requests: Annotated[int, About("Requests that the target must have served before the next step.")] = 0

    @property
    def part(self) -> Decimal:
        """The target's part of the requests, 0 to 1."""
        return self.share if self.share is not None else Decimal(self.weights["target"]) / 100


@dataclass(frozen=True, kw_only=True)
class Failover:
    """What the gateway does for one request, within seconds."""

    connect_timeout: Annotated[Seconds, About("Longest wait for a connection.")] = Decimal(2)
    idle_timeout: Annotated[
        Seconds, About("Longest silence of a provider: before its first byte and between two. Never a whole answer.")
    ] = Decimal(60)
    eject_after: Annotated[int, About("Failures in a row after which a provider is left alone.")] = 3
    eject_for: Annotated[Seconds, About("How long it is left alone the first time.")] = Decimal(30)
    eject_max: Annotated[Seconds, About("How long at most, after several times.")] = Decimal(300)
    max_body: Annotated[Size, About("Largest request in bytes; Envoy and nginx refuse larger ones with 413.")] = (
        32_000_000
    )


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """What the watch goes back for, window by window. It looks at attempts at the target, never at what clients see."""

    error_rate: Annotated[Part, About("Failed attempts that are tolerated.")] = Decimal("0.05")
    latency_p95: Annotated[Seconds | None, About("What 95 % of the attempts must stay below; off without.")] = None
    windows: Annotated[int, About("Windows in a row that must break a limit.")] = 3
    min_requests: Annotated[int, About("Attempts below which a window says nothing.")] = 60
    straight_failures: Annotated[int, About("Failed attempts without a good one between that need no minimum.")] = 5


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """How often to look, where, and whom to tell."""

    every: Annotated[Seconds, About("Length of a window.")] = Decimal(30)
    source: Annotated[Url | None, About("Prometheus metrics to read instead of the gateway's own.")] = None
    metrics_path: Annotated[UrlPath, About("Where the watch shows its own metrics.")] = "/metrics"
    webhook: Annotated[Hook | None, About("Who is told of a rollback: https://… or env:NAME.")] = None
    webhook_secret: Annotated[Key | None, About("env: and the variable with the secret that signs the alert.")] = None


@dataclass(frozen=True, kw_only=True)
class GatewaySettings:
    """The gateway that the traffic passes through."""

    kind: Annotated[str, About("envoy, nginx, haproxy, litellm, httproute or env.")] = "envoy"
    directory: Annotated[PlainFile, About("Where its files are, relative to this file.")] = "gateway"
    listen: Annotated[ListenAddress, About("Where callers reach it.")] = "127.0.0.1:8080"
    admin: Annotated[ListenAddress, About("Where its own state is read (Envoy).")] = "127.0.0.1:9901"
    resolver: Annotated[NameServer | None, About("Address of the name server (nginx); else this machine's.")] = None
    ca_bundle: Annotated[
        PlainFile, About("File with the certificate authorities that providers are checked against.")
    ] = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A migration in stages."""

    version: Annotated[int, About("Version of this file's form.")] = VERSION
    name: Annotated[Name, About("What the migration is called.")] = "migration"
    providers: Annotated[Providers, About("Who serves.")]
    stages: Annotated[tuple[Stage, ...], About("The steps, first to last.")] = (
        Stage(name="shadow", share=Decimal(0), for_=Decimal(86400)),
        Stage(name="canary", share=Decimal("0.10"), for_=Decimal(86400)),
        Stage(name="half", share=Decimal("0.50"), for_=Decimal(86400)),
        Stage(name="full", share=Decimal(1)),
    )
    sticky: Annotated[Header | None, About("Header whose value decides the side; without it the draw is random.")] = (
        None
    )
    failover: Annotated[Failover, About("What the gateway does for one request.")] = Failover()
    rollback: Annotated[Rollback, About("What the watch goes back for.")] = Rollback()
    monitoring: Annotated[Monitoring, About("How it is watched.")] = Monitoring()
    gateway: Annotated[GatewaySettings, About("The gateway that the traffic passes through.")] = GatewaySettings()

    def stage(self, name: str) -> Stage:
        """The stage of a name, or the way back. UnknownNameError, with the nearest name, if there is none."""
        if name == BACK:
            return Stage(name=BACK, share=Decimal(0))
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise unknown_name("stage", name, [*(stage.name for stage in self.stages), BACK])

    def roles(self) -> tuple[Role, ...]:
        """The roles that are taken: target, current and, where there is one, emergency: the order of attempts."""
        return ("target", "current", "emergency") if self.providers.emergency else ("target", "current")

    def provider(self, role: Role) -> Provider:
        """Who has a role. KeyError for an emergency provider that there is not."""
        found = {
            "current": self.providers.current,
            "target": self.providers.target,
            "emergency": self.providers.emergency,
        }[role]
        if found is None:
            raise KeyError(role)
        return found

    def chain(self, first: Role) -> tuple[Role, ...]:
        """Who is tried for a request that begins with `first`, in order."""
        roles = self.roles()
        return roles[roles.index(first) :]


def load(path: Path) -> Plan:
    """The plan in a file. ConfigError, with line and column, for what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"no such file: {path}", fix="llmmigrate init --rollout writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}", why=str(error)) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Plan:
    """The plan in a text; `name` is what errors call it."""
    source = Source(text, name, key="key: env:NAME")
    node = compose(source)
    if node is None:
        raise ConfigError(f"{name} is empty", fix="llmmigrate init --rollout writes one")
    plan: Plan = convert(node, Plan, source)
    _check(plan, _places(node, source))
    return plan


def schema() -> Mapping[str, Any]:
    """The JSON Schema of `migration.yaml`."""
    return json_schema(Plan)


def _places(node: Node, source: Source) -> Mapping[str, Location]:
    """Where each top-level key's value begins, for errors about a whole part."""
    return {key: source.at(value) for key, value in entries(node, source).items()}


def _check(plan: Plan, places: Mapping[str, Location]) -> None:
    """What no single value can tell: ConfigError for the first thing that does not fit together."""
    if plan.version != VERSION:
        raise ConfigError(f"version {plan.version} is not known", where=places.get("version"), fix="version: 1")
    _check_stages(plan, places.get("stages"))
    _check_numbers(plan, places)
    _check_names(plan, places.get("providers"))
    _check_gateway(plan.gateway.kind, places.get("gateway"))


def _check_stages(plan: Plan, where: Location | None) -> None:
    names = [stage.name for stage in plan.stages]
    if not names:
        raise ConfigError("there is no stage", where=where, fix="write stages: [{name: canary, share: 10%}]")
    if BACK in names:
        raise ConfigError(f"'{BACK}' is the name of the way back", where=where, fix="give the stage another name")
    if len(set(names)) < len(names):
        raise ConfigError("two stages have the same name", where=where, fix="give each stage a name of its own")
    for stage in plan.stages:
        _check_weights(stage, where)
    shares = [stage.part for stage in plan.stages]
    if shares != sorted(shares):
        raise ConfigError(
            "a later stage gives the target less than an earlier one",
            where=where,
            fix="order the stages by share; going back is what llmmigrate rollback does",
        )


def _check_weights(stage: Stage, where: Location | None) -> None:
    if (stage.share is None) == (not stage.weights):
        fix = "write share: 10%, or weights: {current: 90, target: 10}"
        raise ConfigError(f"stage '{stage.name}' needs a share or weights", where=where, fix=fix)
    if stage.share is not None:
        return
    total = sum(stage.weights.values())
    if set(stage.weights) != {"current", "target"} or min(stage.weights.values()) < 0 or total != 100:
        raise ConfigError(
            f"the weights of stage '{stage.name}' do not add up",
            where=where,
            why=f"they are {', '.join(f'{key} {value}' for key, value in stage.weights.items())}: {total} in all",
            fix="write weights: {current: 90, target: 10}, 100 in all",
        )


def _check_numbers(plan: Plan, places: Mapping[str, Location]) -> None:
    counts = {
        "failover.eject_after": plan.failover.eject_after,
        "rollback.windows": plan.rollback.windows,
        "rollback.min_requests": plan.rollback.min_requests,
        "rollback.straight_failures": plan.rollback.straight_failures,
    }
    for name, value in counts.items():
        if value < 1:
            raise ConfigError(f"{name} is {value}", where=places.get(name.split(".")[0]), fix="write 1 or more")


def _check_names(plan: Plan, where: Location | None) -> None:
    """Model names and parameters are written into programs that gateways run: only plain ones are."""
    for role in plan.roles():
        provider = plan.provider(role)
        names = [*((key, _MODEL) for key in provider.models), *((key, _VARIABLE) for key in provider.map_params)]
        for name, pattern in names:
            if pattern.fullmatch(name) is None:
                raise ConfigError(f"providers.{role}: '{name}' is no plain name", where=where)


def _check_gateway(kind: str, where: Location | None) -> None:
    from llmmigrate.rollout import ROOM  # the room's protocol is written in terms of a plan

    if not registry.has(ROOM, kind):
        unknown = unknown_name("gateway", kind, registry.names(ROOM))
        raise ConfigError(f"gateway.kind '{kind}' is not known", where=where, fix=unknown.fix)
