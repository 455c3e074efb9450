"""What tests of rollouts share: the loopback is open here, and a plan that names every kind of thing."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import GATEWAYS, LITELLM, NOT_ASKED
from tests.loopback import no_network as no_network

from llmmigrate.errors import GatewayError
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.plan import Plan, parse
from llmmigrate.rollout.process import find

sys.path.insert(0, str(Path(__file__).parents[2]))  # the tools are scripts of the repository

PLAN = """\
version: 1
name: o3-to-glm5
providers:
  current: {base_url: "https://api.openai.com/v1", key: env:OPENAI_API_KEY, context: 200k}
  target:
    base_url: https://api.z.ai/api/paas/v4
    key: env:ZAI_API_KEY
    context: 200k
    models: {o3: glm-5}
    drop_params: [service_tier]
    map_params: {max_completion_tokens: max_tokens}
  emergency: {base_url: "http://127.0.0.1:8000/v1", key: env:LOCAL_KEY, context: 64k, models: {o3: local-glm}}
rollback: {latency_p95: 200ms}
monitoring: {every: 30s, webhook: "env:ALERT_WEBHOOK"}
"""


@pytest.fixture(autouse=True)
def litellm_where_it_is(monkeypatch: pytest.MonkeyPatch, clean_environment: None) -> None:
    """LiteLLM lives in an environment of its own, which its variable names."""
    if LITELLM:
        monkeypatch.setenv("LLMMIGRATE_LITELLM", LITELLM)


@pytest.fixture
def plan() -> Plan:
    return parse(PLAN, "migration.yaml")


def program_is_here(name: str) -> bool:
    """Whether a gateway's program is installed on this machine."""
    program = gateway_of(name).PROGRAM
    try:
        return program is not None and bool(find(program))
    except GatewayError:
        return False


@pytest.fixture
def needs() -> Callable[[str], None]:
    """Skips a test whose gateway is not installed, or not asked for: beside other tests it would miss its times."""

    def check(name: str) -> None:
        if not GATEWAYS:
            pytest.skip(NOT_ASKED)
        if not program_is_here(name):
            pytest.skip(f"{name} is not installed")

    return check
