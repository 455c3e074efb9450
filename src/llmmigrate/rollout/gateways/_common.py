"""What the files of several gateways share."""

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import yaml

from llmmigrate.errors import GatewayError
from llmmigrate.hosts import is_loopback
from llmmigrate.rollout import Confirming, Finding, Program, Status, Uptake
from llmmigrate.rollout.plan import Plan

PARTS: Final = 10_000
"""What gateways draw a request's side out of."""


def address(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8080`; brackets of an IPv6 address go."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def parts(share: Decimal) -> int:
    """A share in parts of `PARTS`. GatewayError for one that no whole number of them is."""
    wanted = share * PARTS
    if wanted != int(wanted):
        raise GatewayError(
            f"a share of {(share * 100).normalize():f} % cannot be set",
            why=f"gateways draw out of {PARTS:,}: from 0.01 % on, in steps of 0.01 %",
            fix="write the share to 0.01 %, such as 0.01% or 12.34%",
        )
    return int(wanted)


def key_names(plan: Plan) -> list[str]:
    """The environment variables that hold keys, each once."""
    keys = (plan.provider(role).key for role in plan.roles())
    return list(dict.fromkeys(key for key in keys if key))


_ALONE: Final = """\
# The gateway inherits the lock and holds it for as long as it lives: a second one would take its sockets away.
if command -v flock >/dev/null; then
  exec 9>.running.lock
  flock -n 9 || { echo "start.sh: a gateway runs already with the files in $PWD and holds .running.lock" >&2; exit 1; }
else
  echo "start.sh: without flock (util-linux), a second start is not noticed while the gateway runs" >&2
fi
"""


def start_script(plan: Plan, program: Program, *, more_keys: Sequence[str] = ()) -> str:
    """A shell script that checks for the keys and starts the gateway in its directory, where none runs already."""
    checks = "".join(f': "${{{name}:?set it to the key}}"\n' for name in (*key_names(plan), *more_keys))
    line = shlex.join([program.name, *program.arguments])
    by_root = f'if [ "$(id -u)" = 0 ]; then set -- {shlex.join(program.as_root)} "$@"; fi\n' if program.as_root else ""
    return f'#!/bin/sh\nset -eu\ncd "$(dirname "$0")"\n{_ALONE}{checks}{by_root}rm -f *.sock\nexec {line} "$@"\n'


@contextlib.contextmanager
def readable(where: str) -> Iterator[None]:
    """Turn what a parser of counts stumbles over into a GatewayError: another program, or version, answers there."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"[:200]
        fix = "check that the emitted gateway answers there, and its version"
        raise GatewayError(f"no counts of the target can be read at {where}", why=why, fix=fix) from None


def untold(words: str) -> Confirming:
    """For a gateway that cannot be asked what is in force; the words say what is known instead."""
    return lambda: Uptake(None, words)


def common_findings(plan: Plan) -> list[Finding]:
    """What is the same at every gateway that passes requests on."""
    host = plan.gateway.listen.rpartition(":")[0]
    exposed = "callers on this machine" if is_loopback(host) else f"everyone who reaches {plan.gateway.listen}"
    found = [
        Finding(
            "streams cut after their first chunk",
            "manual",
            "no gateway can repeat the rest of an answer: the client has to send the request again",
        ),
        Finding("who may call", "manual", f"{exposed} can spend the providers' keys: put your own check in front"),
        Finding(
            "billing of failed attempts",
            "manual",
            f"a provider may bill an attempt that failed: up to {len(plan.roles())} attempts a request",
        ),
    ]
    if any(stage.part == 0 for stage in plan.stages):
        found.append(Finding("shadow traffic", "manual", "no request is sent twice: compare with llmmigrate shadow"))
    return found


def size_finding(plan: Plan) -> Finding:
    """What becomes of large requests where the gateway holds whole ones and has `failover.max_body` as its limit."""
    how = f"tried again up to {plan.failover.max_body:,} bytes; larger ones are refused with 413"
    return Finding("large requests", "exact", how, "failover: max_body")


def sticky_finding(plan: Plan, status: Status, how: str) -> Finding:
    """How well callers stay on one side; exact where the plan does not ask for it."""
    if plan.sticky is None:
        return Finding("sticky callers", "exact", "not asked for: each request is drawn by itself")
    return Finding("sticky callers", status, how, "sticky")


def rewriting_finding(plan: Plan, requirement: str, status: Status, how: str) -> Finding:
    """How well requests are made what a provider wants; exact where the plan has nothing to change."""
    asked = [setting for setting in ("models", "map_params", "drop_params") if _set_anywhere(plan, setting)]
    if not asked:
        return Finding(requirement, "exact", "none has to be changed")
    return Finding(requirement, status, how, f"providers: {', '.join(asked)}")


def _set_anywhere(plan: Plan, setting: str) -> bool:
    return any(getattr(plan.provider(role), setting) for role in plan.roles())


class _Dumper(yaml.SafeDumper):
    """Writes `Text` as a block and repeats nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _write_text)


def yaml_text(document: Any, note: str) -> str:
    """A document as YAML under a comment."""
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=200)
    return "".join(f"# {line}\n" for line in note.splitlines()) + body


def span(seconds: Decimal) -> str:
    """A time span in seconds as gateways read it: `60s`, `1.5s`."""
    return f"{seconds.normalize():f}s"


def milliseconds(seconds: Decimal) -> str:
    """A time span in whole milliseconds: `1500ms`."""
    return f"{int(seconds * 1000)}ms"
