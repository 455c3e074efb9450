"""HAProxy: a front that draws, chains that retry, and one inner listener a provider that sets key, host and path.

Settings that decide what is lost (measured, docs/rollout.md): buffers that hold the whole request, without which no
long prompt is tried again; chains of `balance first`, because `backup` servers are no target of a retry before the
others are down; no check of the last provider of a chain, and the first once more behind it, so that somebody is asked
when all have failed; 401, 403, 408 and 429 turned into 503 by the inner listener, because not every version retries on
them.
Bodies are not rewritten: providers have to know the callers' model names. The share is a line of a map, which a running
HAProxy takes over its socket and a new one reads from the file.
"""

import asyncio
import csv
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from llmmigrate.errors import GatewayError
from llmmigrate.rollout import MODEL, Confirming, Counts, Finding, Pace, Program, Reader, Timed, Uptake
from llmmigrate.rollout.gateways._common import (
    common_findings,
    milliseconds,
    parts,
    readable,
    rewriting_finding,
    start_script,
    sticky_finding,
)
from llmmigrate.rollout.plan import Plan, Role

STAGE_FILE: Final = "share.map"
TAKE_UP: Final = ', then `(echo "set map share.map share {share}"; sleep 1) | socat - haproxy.sock`'
CALLER_KEY: Final = None
PACE: Final = Pace()
TIMES: Final[Timed | None] = "first_byte"
PROGRAM: Final = Program(
    name="haproxy",
    arguments=("-db", "-q", "-f", "haproxy.cfg"),
    version=("-v",),
    validate=("-c", "-f", "haproxy.cfg"),
    install="apt-get install haproxy",
)

_SOCKET: Final = "haproxy.sock"
_BUFFER: Final = 1_048_576
"""Bytes of `tune.bufsize`: every connection holds up to two of them while it is read."""
_SHARE: Final = re.compile(r"\bshare ([0-9]+)$", re.ASCII | re.MULTILINE)
_TIMES: Final = re.compile(r"key=target .*gpc0=([0-9]+) gpc1=([0-9]+)", re.ASCII)
_ASKED: Final = "/v1/models"
"""What health checks ask for. A provider without it, or a key that may not list models, is not sick: any answer but a
server error is good, and the inner listener leaves the refusals of this path as they are."""
_CHECKS: Final = (
    f"GET {_ASKED} with the key, every 2 s, to every provider but the last of the chain, which is never left alone; "
    "down after two without an answer or with a 5xx"
)
_REFUSALS: Final = "turned into 503, so that they are retried; the watch counts them, but they leave nobody alone"
_MODELS: Final = "bodies cannot be rewritten: providers have to know the callers' names (vLLM: --served-model-name)"


def files(plan: Plan, share: Decimal) -> Mapping[str, str]:
    """`haproxy.cfg`, `share.map` and a start script."""
    return {
        "haproxy.cfg": _main(plan),
        STAGE_FILE: f"share {parts(share)}\n",
        "start.sh": start_script(plan, PROGRAM),
    }


def findings(plan: Plan) -> Sequence[Finding]:
    """What is exact here and what is not."""
    changed = [role for role in plan.roles() if _rewrites(plan, role)]
    renamed = rewriting_finding(plan, "model names and parameters", "unsupported", f"{_MODELS}: {', '.join(changed)}")
    large = plan.failover.max_body > _BUFFER
    counting = (
        "by health checks, which bring back, too: an answer that is tried again at the next provider does not count "
        "(2.6); eject_for is not known"
    )
    counters = "attempts and errors from its statistics; times to the first byte from a table; a cut stream looks good"
    found = [
        Finding("share", "exact", "drawn out of 10,000 for each request", "stages"),
        sticky_finding(plan, "exact", "a hash of the header decides; callers without it are drawn"),
        Finding("fallback", "exact", "the next provider for every sign of sickness", "providers"),
        Finding("ejection", "approximate", counting, "failover: eject_after"),
        Finding("401, 403, 408 and 429 of a provider", "exact", _REFUSALS),
        Finding("health checks", "approximate", _CHECKS),
        renamed._replace(faults=(MODEL,)) if changed else renamed,
        Finding("change of stage", "exact", "over the socket of a running HAProxy; live streams go on", "stages"),
        Finding("metrics", "approximate", counters, "rollback"),
        Finding(
            "large requests",
            "approximate" if large else "exact",
            "tried again up to 1 MB; larger ones once",
            "failover: max_body",
            ("big",),
        ),
        Finding("streams cut by a provider", "unsupported", "HAProxy does not count them: they never eject"),
    ]
    return [*found, *common_findings(plan)]


def reload(plan: Plan, directory: Path) -> str | None:
    """Tell a running HAProxy the share in the file."""
    value = (directory / STAGE_FILE).read_text(encoding="ascii").split()[1]
    answer = _ask(directory, f"set map {STAGE_FILE} share {value}").strip()
    if answer:
        raise GatewayError("HAProxy refuses the share", why=answer[:200], code="refused")
    return None


def confirming(plan: Plan, directory: Path) -> Confirming:
    """Asks HAProxy for the share that it draws by."""

    def confirm() -> Uptake:
        wanted = (directory / STAGE_FILE).read_text(encoding="ascii").split()[1]
        found = _SHARE.search(_ask(directory, f"show map {STAGE_FILE}"))
        if found is not None and found[1] == wanted:
            return Uptake(True, "HAProxy says that this share is in force")
        return Uptake(False, f"HAProxy draws by another share: {found[1] if found is not None else 'none'}")

    return confirm


def reader(plan: Plan, directory: Path) -> Reader:
    """Asks HAProxy for its statistics, and for the table in which it counts times."""

    def read() -> Counts:
        lines = _ask(directory, "show stat").removeprefix("# ").splitlines()
        with readable(str(directory / _SOCKET)):
            rows = {(row["pxname"], row["svname"]): row for row in csv.DictReader(lines)}
        server, attempts = rows.get(("chain_target", "target")), rows.get(("up_target", "BACKEND"))
        if server is None or attempts is None:
            raise GatewayError("HAProxy has no server target", fix="start it with the emitted files: ./start.sh")
        times = _TIMES.search(_ask(directory, "show table up_target"))
        with readable(str(directory / _SOCKET)):
            return _counts(server, attempts, times)

    return read


def _counts(server: Mapping[str, str], attempts: Mapping[str, str], times: "re.Match[str] | None") -> Counts:
    """What the statistics say: `server` of the target in its chain, `attempts` of the backend that asks it.

    The chain does not count an answer that it tries again at the next provider; the backend counts every one by its
    class, and as 5xx what had no answer. Times are known of attempts with an answer; one that took too long for any is
    a failure alone.
    """
    good = sum(int(attempts.get(f"hrsp_{kind}xx") or 0) for kind in range(1, 5))
    failed = int(attempts.get("hrsp_5xx") or 0)
    down = server.get("status", "").startswith(("DOWN", "NOLB", "MAINT"))
    timed, slow = (int(times[1]), int(times[2])) if times is not None else (0, 0)
    return Counts(good + failed, failed, timed, slow, int(server.get("chkdown") or 0), down)


def _ask(directory: Path, line: str) -> str:
    try:
        return asyncio.run(_talk(directory / _SOCKET, line))
    except (OSError, TimeoutError) as error:
        code = "not_running" if isinstance(error, FileNotFoundError | ConnectionRefusedError) else None
        fix = "start it: ./start.sh"
        raise GatewayError(f"no HAProxy answers at {directory / _SOCKET}", why=str(error), fix=fix, code=code) from None


async def _talk(path: Path, line: str) -> str:
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_unix_connection(str(path))
        try:
            writer.write(f"{line}\n".encode())
            await writer.drain()
            return (await reader.read()).decode("utf-8", "replace")
        finally:
            writer.close()


def _rewrites(plan: Plan, role: Role) -> bool:
    provider = plan.provider(role)
    return bool(provider.models or provider.map_params or provider.drop_params)


def _main(plan: Plan) -> str:
    failover, roles = plan.failover, plan.roles()
    draw = "rand(10000)"
    if plan.sticky is not None:
        draw = f"req.hdr({plan.sticky}),xxh32,mod(10000)"
    current = "  server current unix@current.sock id 1\n"
    if "emergency" in roles:
        current = """\
  server current unix@current.sock id 1 check
  server emergency unix@emergency.sock id 2
  server current-anyway unix@current.sock id 3
"""
    silence = milliseconds(failover.idle_timeout)
    return f"""\
# Emitted by llmmigrate for {plan.name}. Change migration.yaml, not this file. Start: ./start.sh
global
  stats socket unix@{_SOCKET} mode 600 level admin
  tune.bufsize {_BUFFER}
  maxconn 2000
  hard-stop-after 600s
resolvers dns
  parse-resolv-conf
defaults
  mode http
  timeout connect {milliseconds(failover.connect_timeout)}
  timeout client {milliseconds(failover.idle_timeout * len(roles) + 10)}
  timeout server {milliseconds(failover.idle_timeout * len(roles) + 10)}
  timeout http-request 60s
  option http-buffer-request
  option redispatch 1
  option httpchk
  http-check send meth GET uri {_ASKED}
  http-check expect rstatus ^[1-4]
  default-server inter 2s fall 2 rise 2 observe layer7 error-limit {failover.eject_after} on-error mark-down
frontend front
  bind {plan.gateway.listen}
  http-request set-var(txn.share) str(share),map({STAGE_FILE},0)
  http-request set-var(txn.draw) rand(10000)
  http-request set-var(txn.draw) {draw}{" if { req.hdr(" + plan.sticky + ") -m found }" if plan.sticky else ""}
  use_backend chain_target if {{ var(txn.draw),sub(txn.share) lt 0 }}
  default_backend chain_current
backend chain_target
  balance first
  retries 1
  retry-on all-retryable-errors
  http-response set-header x-llm-retries %rc
  server target unix@target.sock id 1 check
  server chain-current unix@chain-current.sock id 2
  server target-anyway unix@target.sock id 3
backend chain_current
  balance first
  retries {len(roles) - 2}
  retry-on all-retryable-errors
{current}frontend chain-current
  bind unix@chain-current.sock mode 600
  default_backend chain_current
{"".join(_inner(plan, role, silence) for role in roles)}"""


def _inner(plan: Plan, role: Role, silence: str) -> str:
    provider = plan.provider(role)
    endpoint = provider.endpoint
    key = f'  http-request set-header authorization "Bearer %[env({provider.key})]"\n' if provider.key else ""
    path = "" if endpoint.path == "/v1" else f"  http-request replace-path ^/v1/(.*) {endpoint.path}/\\1\n"
    tls = ""
    if endpoint.tls:
        tls = (
            f" ssl verify required ca-file {plan.gateway.ca_bundle} sni str({endpoint.host}) verifyhost {endpoint.host}"
        )
    names = "" if endpoint.literal else " resolvers dns init-addr last,libc,none"
    backend = f"""\
  retries 0
  timeout server {silence}
  http-request set-var(txn.asked) path
  http-request del-header authorization
{key}  http-request set-header host {endpoint.authority}
{path}  http-response set-status 503 if {{ status 401 403 408 429 }} !{{ var(txn.asked) -m beg {_ASKED} }}
  http-response set-header x-llm-served-by {role}
  server {role} {endpoint.host}:{endpoint.port}{tls}{names} no-check
"""
    if role != "target":
        return f"{_front_of(role)}backend up_{role}\n{backend}"
    counting = _counting(plan.rollback.latency_p95)
    return (
        f"{_front_of(role)}  use_backend check_{role} if METH_GET {{ path {_ASKED} }}\n"
        f"backend check_{role}\n{backend}backend up_{role}\n{counting}{backend}"
    )


def _front_of(role: Role) -> str:
    """The inner listener of a provider. The target's health checks have a backend of their own, being no attempts."""
    return f"""\
frontend in-{role}
  bind unix@{role}.sock mode 600
  default_backend up_{role}
"""


def _counting(limit: Decimal | None) -> str:
    """Counts answers (gpc0) and those whose first byte came after the limit (gpc1); health checks are no attempts."""
    slow = f" if {{ var(txn.took) -m int gt {int(limit * 1000)} }}" if limit is not None else " if FALSE"
    return f"""\
  stick-table type string len 8 size 1 store gpc0,gpc1
  http-request track-sc0 str(target) if METH_POST
  http-request set-var(txn.began) date(0,ms)
  http-response set-var(txn.took) date(0,ms),sub(txn.began)
  http-response sc-inc-gpc0(0)
  http-response sc-inc-gpc1(0){slow}
"""
