"""A gateway as a user has it: emitted with the command, started with its script, with providers of ours behind it."""

import asyncio
import contextlib
import dataclasses
import json
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from tests.rollout.tls import Tls, unwrapping

from llmmigrate.rollout import process, wire
from llmmigrate.rollout.drill.lab import free_ports
from llmmigrate.rollout.drill.traffic import Load, send
from llmmigrate.rollout.drill.upstreams import Upstream
from llmmigrate.rollout.emission import emit, gateway_of
from llmmigrate.rollout.plan import Plan, Role, load
from llmmigrate.rollout.staging import replace_file
from llmmigrate.rollout.state import Place

ROLES: tuple[Role, ...] = ("target", "current", "emergency")
BOOT_SECONDS = 180
CALLER = "sk-caller"


@dataclasses.dataclass
class Site:
    """A running gateway with its plan and providers."""

    path: Path
    plan: Plan
    upstreams: dict[Role, Upstream]

    @property
    def place(self) -> Place:
        return Place(self.path, self.plan)

    @property
    def directory(self) -> Path:
        return self.place.gateway_directory(self.plan)

    @property
    def port(self) -> int:
        return int(self.plan.gateway.listen.rpartition(":")[2])

    def load(self, stream_pieces: int = 0) -> Load:
        return Load("o3", self.port, stream_pieces=stream_pieces, key=CALLER)

    def hits(self, role: Role) -> int:
        return len(self.upstreams[role].hits)


@contextlib.asynccontextmanager
async def site(
    directory: Path,
    kind: str,
    *,
    stage: str,
    extra: str = "",
    tls: Tls | None = None,
    roles: Sequence[Role] = ROLES,
) -> AsyncIterator[Site]:
    """Emit, start and wait until it answers; everything ends with the block."""
    here = emitted(directory, kind, await free_ports(5), stage=stage, extra=extra, tls=tls, roles=roles)
    for upstream in here.upstreams.values():
        await upstream.start()
    program = start(here, kind)
    try:
        async with contextlib.AsyncExitStack() as stack:
            if tls is not None:
                await stack.enter_async_context(unwrapping(tls, here.upstreams["target"].port))
            async with asyncio.timeout(BOOT_SECONDS):
                while not (await send(here.load())).ok:
                    await asyncio.sleep(0.1)
            yield here
    finally:
        program.terminate()
        program.wait(10)
        for upstream in here.upstreams.values():
            upstream.stop()


def emitted(
    directory: Path,
    kind: str,
    ports: list[int],
    *,
    stage: str,
    extra: str = "",
    tls: Tls | None = None,
    roles: Sequence[Role] = ROLES,
) -> Site:
    """A plan for three providers, or those of `roles`, on the first ports, and its gateway's files; nothing runs."""
    path = directory / "migration.yaml"
    path.write_text(_plan_text(kind, dict(zip(roles, ports, strict=False)), ports[3:], extra, tls))
    plan = load(path)
    upstreams = {role: Upstream(role, port) for role, port in zip(roles, ports, strict=False)}
    here = Site(path, plan, upstreams)
    for name, text in emit(plan, kind, stage).files.items():
        file = here.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, text, mode=0o755 if name.endswith(".sh") else 0o644)
    return here


def start(here: Site, kind: str, *, out: str = "out", group: bool = False) -> "subprocess.Popen[bytes]":
    """Run the start script, its words in a file beside it; with `group` its processes are a group of their own."""
    program = gateway_of(kind).PROGRAM
    assert program is not None
    where = str(Path(process.find(program)).parent)
    keys = {"KEY": "sk", gateway_of(kind).CALLER_KEY or "NO_KEY": CALLER}
    environment = {**os.environ, **keys, "PATH": f"{where}:{os.environ['PATH']}"}
    with (here.directory / out).open("wb") as words:
        return subprocess.Popen(
            ["./start.sh"],
            cwd=here.directory,
            env=environment,
            stdout=words,
            stderr=words,
            start_new_session=group,
        )


async def answering_checks(upstream: Upstream, status: int) -> list[str]:
    """Let a provider answer every GET, a health check, with a status; the keys that it was asked with."""
    keys: list[str] = []

    async def answer(request: wire.Request, reply: wire.Reply) -> None:
        if request.method == "POST":
            await upstream._answer(request, reply)
            return
        keys.append(request.headers.get("authorization", ""))
        await reply.send(status, b"{}", {"content-type": "application/json"})

    upstream.stop()
    upstream.listening = wire.Listening(answer)
    await upstream.listening.start(upstream.port)
    return keys


def _plan_text(kind: str, providing: dict[Role, int], own: Sequence[int], extra: str, tls: Tls | None) -> str:
    names = {"target": "glm-5", "current": "o3", "emergency": "local"}
    providers: dict[Role, dict[str, Any]] = {
        role: {"base_url": f"http://127.0.0.1:{port}/v1", "key": "env:KEY", "models": {"o3": names[role]}}
        for role, port in providing.items()
    }
    gateway = {"kind": kind, "listen": f"127.0.0.1:{own[0]}", "admin": f"127.0.0.1:{own[1]}"}
    if tls is not None:
        providers["target"]["base_url"] = f"https://localhost:{tls.port}/v1"
        gateway["ca_bundle"] = str(tls.certificate)
    return f"providers: {json.dumps(providers)}\ngateway: {json.dumps(gateway)}\n{extra}"
