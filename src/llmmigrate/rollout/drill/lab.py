"""The bench of a rehearsal: providers of ours, the gateway as a process, and a plan that stands in for the real one."""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlunsplit

from llmmigrate.errors import GatewayError
from llmmigrate.rollout import Gateway
from llmmigrate.rollout.drill.traffic import Load, send
from llmmigrate.rollout.drill.upstreams import Upstream
from llmmigrate.rollout.plan import Failover, Plan, Provider, Role
from llmmigrate.rollout.process import find
from llmmigrate.rollout.staging import replace_file

BOOT_SECONDS: Final = 180
STAND_IN: Final[Mapping[str, Decimal]] = {
    "connect_timeout": Decimal(1),
    "idle_timeout": Decimal("1.5"),
    "eject_max": Decimal(60),
}
"""Times of the rehearsal instead of the plan's: an outage of seconds has to show what one of minutes would."""
_CALLER: Final = "sk-drill-caller"
_NOWHERE: Final = "target.invalid"
"""A name that never resolves (RFC 6761)."""


def stood_in(plan: Plan, gateway: Gateway) -> dict[str, str]:
    """What a rehearsal changes in a plan, in words."""
    times = _times(gateway)
    real = {name: getattr(plan.failover, name) for name in times}
    changed = {f"failover.{name}": f"{times[name]} s for {value} s" for name, value in real.items()}
    return changed | {"providers": "three of ours on 127.0.0.1", "gateway.listen": "a free port of 127.0.0.1"}


def quickened(failover: Failover, gateway: Gateway) -> Failover:
    """The failover of a plan with the times of a rehearsal."""
    times: dict[str, Any] = _times(gateway)
    return dataclasses.replace(failover, **times)


def _times(gateway: Gateway) -> dict[str, Decimal]:
    return {**STAND_IN, "eject_for": gateway.PACE.eject_for}


class Lab:
    """Providers, gateway and the directory of its files; use `opened`."""

    def __init__(self, plan: Plan, gateway: Gateway, directory: Path, ports: Sequence[int]) -> None:
        self.gateway, self.directory = gateway, directory
        pause = gateway.PACE.piece_seconds
        self.upstreams = {
            role: Upstream(role, port, piece_seconds=pause) for role, port in zip(plan.roles(), ports[2:], strict=True)
        }
        self.listen, self.admin = ports[:2]
        self.real = plan
        self.plan = self._standing_in(plan)
        self._process: subprocess.Popen[bytes] | None = None
        self.boot_seconds = 0.0

    @property
    def model(self) -> str:
        """The model that callers name: the first one that the plan renames, so that a wrong name shows."""
        return next(iter(self.real.providers.target.models), "model")

    @property
    def target(self) -> Upstream:
        """The provider that falls sick."""
        return self.upstreams["target"]

    def load(self, **changes: Any) -> Load:
        """Requests through the gateway."""
        return dataclasses.replace(Load(self.model, self.listen, key=_CALLER), **changes)

    def direct(self) -> Load:
        """Requests to the current provider without the gateway."""
        current = self.plan.providers.current
        path = f"{current.endpoint.path}/chat/completions"
        return Load(current.models.get(self.model, self.model), current.endpoint.port, path=path, key=_key("current"))

    async def start(self, share: Decimal, *, lost_name: bool = False) -> None:
        """Start the gateway anew with the target's share in force; `lost_name`: the target's name does not resolve."""
        began = time.monotonic()
        self.stop()
        plan = _with_target_nowhere(self.plan) if lost_name else self.plan
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        for name, text in self.gateway.files(plan, share).items():
            replace_file(self.directory / name, text)
        self._process = self._spawn()
        await self._until_it_answers()
        self.boot_seconds += time.monotonic() - began

    def flip(self, share: Decimal) -> None:
        """Put another share in force while the gateway runs."""
        name = self.gateway.STAGE_FILE
        replace_file(self.directory / name, self.gateway.files(self.plan, share)[name])
        self.gateway.reload(self.plan, self.directory)

    def stop(self) -> None:
        """End the gateway."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def words(self) -> str:
        """The last that the gateway has said."""
        path = self.directory / "gateway.out"
        return path.read_text(errors="replace")[-400:].strip() if path.exists() else ""

    def wrong(self) -> tuple[int, int]:
        """Requests that reached a provider with a wrong model name, and with a wrong key."""
        models = keys = 0
        for role, upstream in self.upstreams.items():
            provider = self.plan.provider(role)
            name = provider.models.get(self.model, self.model)
            key = f"Bearer {_key(role)}" if provider.key else ""
            models += sum(hit.model != name for hit in upstream.hits)
            keys += sum(hit.authorization != key for hit in upstream.hits)
        return models, keys

    def _spawn(self) -> "subprocess.Popen[bytes]":
        program = self.gateway.PROGRAM
        if program is None:
            raise GatewayError("there is no gateway to drill here: nothing stands between callers and providers")
        keys = {provider.key: _key(role) for role in self.plan.roles() if (provider := self.plan.provider(role)).key}
        environment = {**os.environ, **{name: key for name, key in keys.items() if name}}
        if self.gateway.CALLER_KEY is not None:
            environment[self.gateway.CALLER_KEY] = _CALLER
        as_root = program.as_root if os.geteuid() == 0 else ()
        line = [find(program), *program.arguments, *program.place(self.plan.gateway.listen), *as_root]
        with (self.directory / "gateway.out").open("wb") as out:
            return subprocess.Popen(
                line, cwd=self.directory, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )

    async def _until_it_answers(self) -> None:
        limit = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < limit:
            if self._process is not None and self._process.poll() is not None:
                raise GatewayError("the gateway ended at once", why=self.words(), code="not_running")
            if (await send(self.load(timeout=5))).ok:
                return
            await asyncio.sleep(0.1)
        raise GatewayError(f"the gateway gave no answer in {BOOT_SECONDS} s", why=self.words(), code="not_running")

    def _standing_in(self, plan: Plan) -> Plan:
        moved = {role: self._moved(plan.provider(role), role) for role in plan.roles()}
        gateway = dataclasses.replace(
            plan.gateway, listen=f"127.0.0.1:{self.listen}", admin=f"127.0.0.1:{self.admin}", resolver="127.0.0.1"
        )
        return dataclasses.replace(
            plan,
            providers=dataclasses.replace(plan.providers, **moved),
            failover=quickened(plan.failover, self.gateway),
            gateway=gateway,
            sticky=None,
        )

    def _moved(self, provider: Provider, role: Role) -> Provider:
        """A provider whose requests go to ours; each gets a key of its own, so that a mix-up shows."""
        url = urlunsplit(("http", f"127.0.0.1:{self.upstreams[role].port}", provider.endpoint.path, "", ""))
        return dataclasses.replace(provider, base_url=url, key=f"LLMMIGRATE_DRILL_{role.upper()}")


@contextlib.asynccontextmanager
async def opened(plan: Plan, gateway: Gateway) -> AsyncIterator[Lab]:
    """A lab with its providers up; everything is ended and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="llmmigrate-drill-") as place:
        lab = Lab(plan, gateway, Path(place) / "gateway", await free_ports(len(plan.roles()) + 2))
        try:
            for upstream in lab.upstreams.values():
                await upstream.start()
            yield lab
        finally:
            lab.stop()
            for upstream in lab.upstreams.values():
                upstream.stop()


async def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on."""
    servers = [await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) for _ in range(count)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def _with_target_nowhere(plan: Plan) -> Plan:
    target = plan.providers.target
    url = urlunsplit(("http", f"{_NOWHERE}:80", target.endpoint.path, "", ""))
    moved = dataclasses.replace(target, base_url=url)
    return dataclasses.replace(plan, providers=dataclasses.replace(plan.providers, target=moved))


def _key(role: Role) -> str:
    return f"drill-{role}"
