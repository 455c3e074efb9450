"""The `migration.yaml` that `init --rollout` writes: commented, and complete enough to be drilled as it stands."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

SCHEMA_PLACE: Final = ".llmmigrate/migration.schema.json"
"""Where the schema lies beside the plan: editors find it there offline, whichever version wrote it."""


class Side(NamedTuple):
    """A provider as far as it is known; what is not is a placeholder of the template."""

    base_url: str
    key: str
    context: int | None = None
    models: Mapping[str, str] = {}
    placeholder: bool = False


CURRENT: Final = Side("https://api.openai.com/v1", "OPENAI_API_KEY", placeholder=True)
TARGET: Final = Side("https://target.example/v1", "TARGET_API_KEY", models={"o3": "glm-5"}, placeholder=True)
EMERGENCY: Final = Side("http://127.0.0.1:8000/v1", "LOCAL_API_KEY", models={"o3": "local-model"}, placeholder=True)


class Known(NamedTuple):
    """What the template is filled with; texts are values of YAML as they are to be written."""

    current: Side = CURRENT
    target: Side = TARGET
    emergency: Side = EMERGENCY
    error_rate: str = "5%"
    latency_p95: str | None = None
    failures: str = "3"
    every: str = "30s"
    webhook: str | None = None
    metrics_path: str | None = None
    notes: Sequence[str] = ()


def text(known: Known) -> str:
    """The plan as commented YAML."""
    return _TEMPLATE.format(
        schema=SCHEMA_PLACE,
        notes="".join(f"# {note}\n" for note in known.notes),
        current=_side("current", known.current),
        target=_side("target", known.target),
        emergency=_side("emergency", known.emergency),
        failures=known.failures,
        error_rate=known.error_rate,
        latency=_optional("latency_p95", known.latency_p95, "20s"),
        every=known.every,
        webhook=_optional("webhook", _quoted(known.webhook), "env:ALERT_WEBHOOK"),
        metrics_path=_optional("metrics_path", _quoted(known.metrics_path), "/metrics"),
    )


def _side(role: str, side: Side) -> str:
    values = [f"base_url: {json.dumps(side.base_url)}", f"key: env:{side.key}"]
    if side.context:
        values.append(f"context: {side.context}")
    if side.models:
        pairs = ", ".join(f"{json.dumps(name)}: {json.dumps(there)}" for name, there in side.models.items())
        values.append(f"models: {{{pairs}}}")
    mark = "  # a placeholder: put in your own" if side.placeholder else ""
    return f"  {role}: {{{', '.join(values)}}}{mark}"


def _optional(key: str, value: str | None, example: str) -> str:
    return f"  {key}: {value}" if value is not None else f"  # {key}: {example}"


def _quoted(value: str | None) -> str | None:
    return None if value is None else json.dumps(value)


_TEMPLATE: Final = """\
# yaml-language-server: $schema={schema}
# A migration in steps. Look at it with: llmmigrate rollout lint; rehearse it with: llmmigrate rollout drill
{notes}version: 1
name: migration

# Who serves now, who shall, and who is asked when both fail (optional). Keys are names of environment variables.
# models: what a name that callers use is called there. context: the window in tokens. Also: drop_params, map_params.
providers:
{current}
{target}
{emergency}

# The steps: the target's part of the requests, and how long it stays there.
stages:
  - {{name: shadow, share: 0%, for: 24h}}
  - {{name: canary, share: 10%, for: 24h, min_requests: 2000}}
  - {{name: half, share: 50%, for: 24h, min_requests: 2000}}
  - {{name: full, share: 100%}}

# Callers with the same value of this header stay on one side; without it every request is drawn by itself.
# sticky: x-user-id

# What the gateway does for one request, within seconds.
failover:
  idle_timeout: 60s   # longest silence of a provider, before the first byte and between two
  eject_after: {failures}      # failures in a row after which a provider is left alone
  eject_for: 30s

# What the watch goes back for, window by window, locked until a person releases it.
rollback:
  error_rate: {error_rate}
{latency}
  windows: {failures}          # in a row
  min_requests: 60

monitoring:
  every: {every}
{webhook}
{metrics_path}

# Where callers reach the gateway, and where its files are. kind: envoy, nginx, haproxy, litellm, httproute or env.
gateway:
  kind: envoy
  directory: gateway
  listen: 127.0.0.1:8080
"""
