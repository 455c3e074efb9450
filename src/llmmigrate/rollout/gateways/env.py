"""No gateway: the environment that clients read when they start, for all traffic or none.

The Python and Node SDKs of OpenAI take base URL and key from `OPENAI_BASE_URL` and `OPENAI_API_KEY`; the model's name
has to come from `LLM_MODEL`, as samples/clients show. The file is for a shell: the key is a reference, which parsers of
environment files do not replace. A share between none and all needs a gateway.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from llmmigrate.errors import GatewayError
from llmmigrate.rollout import Confirming, Finding, Pace, Program, Reader, Timed
from llmmigrate.rollout.gateways._common import untold
from llmmigrate.rollout.plan import Plan, Role

STAGE_FILE: Final = "llm.env"
TAKE_UP: Final = ", then start the clients anew"
CALLER_KEY: Final = None
PACE: Final = Pace(flips=False)
TIMES: Final[Timed | None] = None
PROGRAM: Final[Program | None] = None

_HOW: Final = (
    "# For a shell: (. ./llm.env; exec your-client), each time in a new one that has the providers' keys.",
    "# Programs that read environment files (docker --env-file, systemd) may take export and ${...} as they stand.",
)


def files(plan: Plan, share: Decimal) -> Mapping[str, str]:
    """`llm.env`: to be sourced by a shell."""
    role: Role = "target" if share == 1 else "current"
    provider = plan.provider(role)
    model = next(iter(plan.providers.target.models), None)
    name = provider.models.get(model, model) if model is not None else None
    lines = [
        f"# Emitted by llmmigrate for {plan.name}: target's share {share * 100:f} %, all traffic to {role}.",
        *_HOW,
        f"export OPENAI_BASE_URL={provider.base_url}",
        *([f'export OPENAI_API_KEY="${{{provider.key}}}"'] if provider.key else []),
        *([f'export LLM_MODEL="{name}"'] if name is not None else []),
    ]
    return {STAGE_FILE: "\n".join(lines) + "\n"}


def findings(plan: Plan) -> Sequence[Finding]:
    """What is exact here and what is not."""
    partial = [stage.name for stage in plan.stages if 0 < stage.part < 1]
    several = len(plan.providers.target.models) > 1
    names = "clients take the model from LLM_MODEL, one for all"
    return [
        Finding(
            "share",
            "unsupported" if partial else "exact",
            f"all or nothing: {', '.join(partial)} stay at current" if partial else "all or nothing",
            "stages",
        ),
        Finding("fallback", "unsupported", "a client has one provider: nothing is tried again elsewhere", "providers"),
        Finding("ejection", "unsupported", "nobody counts failures", "failover: eject_after"),
        Finding("model names", "manual" if several else "exact", names, "providers"),
        Finding("change of stage", "manual", "clients read their environment when they start", "stages"),
        Finding("metrics", "unsupported", "nothing to watch", "rollback"),
    ]


def reload(plan: Plan, directory: Path) -> str | None:
    """Nothing takes the file up but a new start of the clients."""
    return "clients read llm.env when they start: start them anew"


def confirming(plan: Plan, directory: Path) -> Confirming:
    """Nobody can be asked."""
    return untold("clients cannot be asked what they have read")


def reader(plan: Plan, directory: Path) -> Reader:
    """There is nothing to read. GatewayError."""
    raise GatewayError("there is nothing to watch without a gateway", fix="use a gateway such as envoy")
