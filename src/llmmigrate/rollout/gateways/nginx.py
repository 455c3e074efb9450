"""nginx with its Lua module: a front that splits, and one inner server a provider that rewrites what is sent there.

Settings that decide what is lost (measured, docs/rollout.md): `non_idempotent`, without which no POST is tried again;
chains nested in one another, because several `backup` servers of one upstream take turns; 401, 403 and 408 turned into
503 by the inner server, because nginx tries no other server for them; nobody but the target is ever left alone, and the
target is asked all the same where the others fail; requests held in memory; no buffering of answers.
A stage is the line with the split, taken up on a HUP signal, which lets live streams end.
"""

import os
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, Final

from llmmigrate.errors import GatewayError
from llmmigrate.rollout import Confirming, Counts, Finding, Pace, Program, Reader, Timed
from llmmigrate.rollout.gateways import _lua
from llmmigrate.rollout.gateways._common import (
    common_findings,
    key_names,
    milliseconds,
    parts,
    rewriting_finding,
    size_finding,
    start_script,
    sticky_finding,
    untold,
)
from llmmigrate.rollout.plan import Plan, Role

STAGE_FILE: Final = "stage.conf"
TAKE_UP: Final = ", then `kill -HUP $(cat nginx.pid)`"
PROGRAM: Final = Program(
    name="nginx",
    arguments=("-p", ".", "-e", "stderr", "-c", "nginx.conf"),
    version=("-v",),
    validate=("-t", "-q", "-p", ".", "-e", "stderr", "-c", "nginx.conf"),
    install="apt-get install nginx libnginx-mod-http-lua",
    as_root=("-g", "user root;"),  # workers of another user could not enter a private directory
)
CALLER_KEY: Final = None
PACE: Final = Pace()
TIMES: Final[Timed | None] = "first_byte"
LOG: Final = "attempts.log"

_LINE: Final = re.compile(
    r'[0-9.]+ (?P<chain>\w+) "(?P<where>[^"]*)" "(?P<status>[^"]*)" "(?P<head>[^"]*)" "[^"]*" (?P<told>[0-9]+)$',
    re.ASCII,
)
_IN_PART: Final = "ejected again and again, so that windows may hold too few attempts for the watch to go back"
_SECONDS: Final = re.compile(r"[0-9]+\.[0-9]+", re.ASCII)
_HUNG_UP: Final = "499"
"""What nginx logs for a caller who did not wait; in `told`, because the attempt itself has no status then."""
_SICK: Final = "error timeout http_500 http_502 http_503 http_504 http_429 non_idempotent"


def files(plan: Plan, share: Decimal) -> Mapping[str, str]:
    """`nginx.conf`, `stage.conf`, a Lua file for each provider and a start script."""
    lua = {f"{role}.lua": _rewriting(plan, role) for role in plan.roles()}
    return {
        "nginx.conf": _main(plan),
        STAGE_FILE: _split(share),
        **lua,
        "start.sh": start_script(plan, PROGRAM),
    }


def findings(plan: Plan) -> Sequence[Finding]:
    """What is exact here and what is not."""
    names = [role for role in plan.roles() if not _static(plan, role)]
    counting = "counts failures within eject_for, in a row or not; eject_max is not known"
    set_by = "set by libnginx-mod-http-lua, which has to be installed"
    left_out = "callers who hang up before an answer are left out"
    log = f"the watch reads {LOG}, which has to be rotated; a cut stream looks good; {left_out}"
    found = [
        Finding("share", "exact", "split_clients on an id of the request, to 0.01 %", "stages"),
        sticky_finding(plan, "exact", "split_clients on the header; callers without it are drawn"),
        Finding(
            "fallback", "exact", "chains in one another: the next provider for every sign of sickness", "providers"
        ),
        Finding("ejection of the target", "approximate", counting, "failover: eject_after"),
        Finding("ejection of current", "approximate", "tried first each time, then emergency", "failover: eject_after"),
        Finding("401, 403 and 408 of a provider", "exact", "turned into 503, so that they are retried and eject"),
        rewriting_finding(plan, "model names and parameters", "exact", set_by),
        Finding("change of stage", "exact", "on HUP; live streams go on for up to 10 minutes", "stages"),
        Finding("metrics", "approximate", log, "rollback"),
        size_finding(plan),
        Finding("a target that fails in part", "approximate", _IN_PART, "rollback"),
        Finding("streams cut by a provider", "unsupported", "nginx does not count them: they never eject"),
    ]
    if names and plan.gateway.resolver is None:
        found.append(Finding("name server", "approximate", "taken from the machine that emitted; set gateway.resolver"))
    return [*found, *common_findings(plan)]


def reload(plan: Plan, directory: Path) -> str | None:
    """Let nginx take up `stage.conf`. Where it cannot be asked first it is told all the same: it checks for itself."""
    from llmmigrate.rollout.process import check, send_hangup

    unchecked = None
    try:
        check(PROGRAM, directory)
    except GatewayError as error:
        if error.code == "refused":
            raise
        unchecked = f"nginx was told, and its files were not checked before ({error.what}): look into its error log"
    send_hangup(directory / "nginx.pid", PROGRAM)
    return unchecked


def confirming(plan: Plan, directory: Path) -> Confirming:
    """There is no interface of nginx that tells."""
    return untold("nginx has checked the files and was told to take them up; it does not tell when it has")


def reader(plan: Plan, directory: Path) -> Reader:
    """Reads the lines that come into the log from now on, across rotations."""
    return _LogReader(directory / LOG, plan.rollback.latency_p95).read


class _LogReader:
    """Adds up the lines of the front's log; what came just before a rotation and was not read yet is left out.

    nginx ejects without regard to good attempts. The target counts as ejected where requests went past it and no
    attempt since the last reading was good; that has begun, maybe anew, where an attempt failed since then.
    """

    def __init__(self, path: Path, limit: Decimal | None) -> None:
        self._path, self._limit = path, limit
        self._counts = Counts(0, 0, 0, 0, 0, None)
        self._file: int | None = None
        self._place = 0
        if path.exists():
            self._file, self._place = path.stat().st_ino, path.stat().st_size

    def read(self) -> Counts:
        """The counts so far."""
        try:
            with self._path.open("rb") as stream:
                self._add_lines(stream)
        except OSError as error:
            raise GatewayError(f"nginx writes no {self._path}", why=str(error), fix="start it: ./start.sh") from None
        return self._counts

    def _add_lines(self, stream: BinaryIO) -> None:
        held = os.fstat(stream.fileno())
        if held.st_ino != self._file or held.st_size < self._place:
            self._file, self._place = held.st_ino, 0
        stream.seek(self._place)
        before, counts, avoided, told = self._counts, self._counts, False, False
        for line in stream:
            if not line.endswith(b"\n"):
                break
            self._place += len(line)
            match = _LINE.match(line.decode("ascii", "replace").rstrip())
            if match is not None and match["chain"] == "chain_target":
                tried = match["where"].startswith("unix:target.sock")
                counts = _with_attempt(counts, match, self._limit) if tried else counts
                avoided, told = avoided or not tried, True
        good = counts.attempts - counts.errors > before.attempts - before.errors
        ejected = avoided and not good
        began = ejected and counts.errors > before.errors
        self._counts = counts._replace(
            ejected=ejected if told else None,
            ejections=counts.ejections + began,
        )


def _with_attempt(counts: Counts, match: "re.Match[str]", limit: Decimal | None) -> Counts:
    """The counts with the first attempt of one more request, which was one at the target.

    An attempt that had no status when its caller hung up says nothing of the target.
    """
    status, seconds = match["status"].split(",")[0], match["head"].split(",")[0]
    if match["told"] == _HUNG_UP and not status.isdecimal():
        return counts
    failed = not status.isdecimal() or int(status) >= 500 or int(status) == 429
    timed = status == "504" or _SECONDS.fullmatch(seconds) is not None
    slow = timed and limit is not None and (status == "504" or Decimal(seconds) > limit)
    return counts._replace(
        attempts=counts.attempts + 1,
        errors=counts.errors + failed,
        timed=counts.timed + timed,
        slow=counts.slow + slow,
    )


def _main(plan: Plan) -> str:
    roles = plan.roles()
    environment = "".join(f"env {name};\n" for name in key_names(plan))
    upstreams = "".join(_upstream(plan, role) for role in roles)
    return f"""\
# Emitted by llmmigrate for {plan.name}. Change migration.yaml, not this file. Start: ./start.sh
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr error;
worker_shutdown_timeout 600s;  # how long streams may go on after a change of stage
{environment}events {{ worker_connections 4096; }}
http {{
  log_format attempts '$msec $llm_chain "$upstream_addr" "$upstream_status" '
                      '"$upstream_header_time" "$upstream_response_time" $status';
  access_log off;
  client_body_temp_path body_temp; proxy_temp_path proxy_temp; fastcgi_temp_path fastcgi_temp;
  uwsgi_temp_path uwsgi_temp; scgi_temp_path scgi_temp;
  # whole requests stay in memory: what is on disk cannot be rewritten
  client_max_body_size {plan.failover.max_body}; client_body_buffer_size {plan.failover.max_body};
  proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering on;
  proxy_set_header Connection "";
  proxy_connect_timeout {milliseconds(plan.failover.connect_timeout)};
  variables_hash_max_size 2048;
{_resolver(plan)}{_split_key(plan)}  include {STAGE_FILE};
{_chains(plan)}{upstreams}{_front(plan)}{_current_hop(plan)}{"".join(_inner(plan, role) for role in roles)}}}
"""


def _split(share: Decimal) -> str:
    rest = "* chain_current;" if share < 1 else "* chain_target;"
    drawn = parts(share)
    percent = f"{drawn // 100}.{drawn % 100:02}% chain_target; " if 0 < share < 1 else ""
    return f"split_clients $llm_split_key $llm_chain {{ {percent}{rest} }}\n"


def _split_key(plan: Plan) -> str:
    if plan.sticky is None:
        return '  map "" $llm_split_key { default $request_id; }\n'
    header = f"$http_{plan.sticky.lower().replace('-', '_')}"
    return f'  map {header} $llm_split_key {{ "" $request_id; default {header}; }}\n'


def _resolver(plan: Plan) -> str:
    if all(_static(plan, role) for role in plan.roles()):
        return ""
    return f"  resolver {plan.gateway.resolver or _name_server()} valid=30s ipv6=off; resolver_timeout 2s;\n"


def _name_server() -> str:
    """The first name server of this machine; its own loopback where it has none."""
    try:
        lines = Path("/etc/resolv.conf").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    found = [line.split()[1] for line in lines if line.startswith("nameserver ") and len(line.split()) > 1]
    server = found[0] if found else "127.0.0.1"
    return f"[{server}]" if ":" in server else server


def _static(plan: Plan, role: Role) -> bool:
    """Whether a provider's address needs no name server at run time."""
    endpoint = plan.provider(role).endpoint
    return endpoint.literal or endpoint.host == "localhost"


def _chains(plan: Plan) -> str:
    emergency = "server unix:emergency.sock backup max_fails=0; " if "emergency" in plan.roles() else ""
    watched = f"max_fails={plan.failover.eject_after} fail_timeout={max(1, int(plan.failover.eject_for))}s"
    never = "max_fails=0"  # nginx does not count in a row: few errors of many requests would send all to emergency
    return f"""\
  upstream chain_target {{
    zone chain_target 64k; keepalive 32;
    server unix:target.sock {watched};
    # while the target is left alone; where they fail, it is asked all the same (by weight it is the second)
    server unix:chain-current.sock backup max_fails=0 weight=1000000; server unix:target.sock backup max_fails=0;
  }}
  upstream chain_current {{
    zone chain_current 64k; keepalive 32;
    server unix:current.sock {never}; {emergency}
  }}
"""


def _upstream(plan: Plan, role: Role) -> str:
    endpoint = plan.provider(role).endpoint
    if not _static(plan, role):
        return ""
    return f"  upstream up_{role} {{ server {endpoint.host}:{endpoint.port} max_fails=0; keepalive 32; }}\n"


def _front(plan: Plan) -> str:
    return f"""\
  server {{
    listen {plan.gateway.listen};
    location / {{
      access_log {LOG} attempts;
      proxy_pass http://$llm_chain;
      proxy_next_upstream {_SICK}; proxy_next_upstream_tries 2;
      proxy_read_timeout {milliseconds(plan.failover.idle_timeout * len(plan.roles()) + 10)};
      proxy_set_header Host $host; proxy_set_header Connection "";
      add_header x-llm-tried $upstream_addr always;
    }}
  }}
"""


def _current_hop(plan: Plan) -> str:
    """The current provider's chain as one server, so that the target's chain can fall back to it as a whole."""
    return f"""\
  server {{
    listen unix:chain-current.sock;
    location / {{
      proxy_pass http://chain_current;
      proxy_next_upstream {_SICK}; proxy_next_upstream_tries 2;
      proxy_read_timeout {milliseconds(plan.failover.idle_timeout * 2 + 5)};
    }}
  }}
"""


def _inner(plan: Plan, role: Role) -> str:
    endpoint = plan.provider(role).endpoint
    scheme = endpoint.scheme
    static = _static(plan, role)
    where = f"up_{role}" if static else f"$up_{role}"
    named = "" if static else f'set $up_{role} "{endpoint.host}:{endpoint.port}"; '
    path = "" if endpoint.path == "/v1" else f"rewrite ^/v1/(.*)$ {endpoint.path}/$1 break; "
    return f"""\
  server {{
    listen unix:{role}.sock;
    location /v1/ {{
      {named}{path}rewrite_by_lua_file {role}.lua;
      proxy_pass {scheme}://{where};
      proxy_next_upstream off; proxy_read_timeout {milliseconds(plan.failover.idle_timeout)};
      proxy_set_header Host {endpoint.authority}; proxy_set_header Connection "";
{_tls(plan, endpoint.host) if endpoint.tls else ""}      proxy_intercept_errors on; error_page 401 403 408 =503 @sick;
      add_header x-llm-served-by {role} always;
    }}
    location @sick {{ return 503; }}
  }}
"""


def _tls(plan: Plan, host: str) -> str:
    authorities = plan.gateway.ca_bundle
    return f"""\
      proxy_ssl_server_name on; proxy_ssl_name {host}; proxy_ssl_verify on; proxy_ssl_verify_depth 5;
      proxy_ssl_trusted_certificate {authorities};
"""


def _rewriting(plan: Plan, role: Role) -> str:
    return f"""{_lua.program(plan.provider(role))}
ngx.req.clear_header("authorization")
if KEY then ngx.req.set_header("authorization", "Bearer " .. KEY) end
ngx.req.read_body()
local body = ngx.req.get_body_data()
if body then ngx.req.set_body_data(rewritten(body)) end
"""
