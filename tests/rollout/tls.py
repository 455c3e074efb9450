"""TLS in front of a provider of ours."""

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple


class Tls(NamedTuple):
    """Where the target is reached with TLS, and its certificate, which is its own authority."""

    port: int
    certificate: Path


def signed(directory: Path, name: str) -> Path:
    """A certificate for a name, signed by itself; its key is in the same file."""
    path = directory / "certificate.pem"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "2"]
    line = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
    done = subprocess.run([*line, "-keyout", "-", "-out", "-"], capture_output=True, check=True, cwd=directory)
    path.write_bytes(done.stdout)
    return path


@contextlib.asynccontextmanager
async def unwrapping(tls: Tls, plain_port: int) -> AsyncIterator[None]:
    """Take TLS off connections to its port and pass them on to another."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate)
    tasks: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", plain_port)
        for pump in (_pump(reader, there[1]), _pump(there[0], writer)):
            task = asyncio.ensure_future(pump)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(pass_on, "127.0.0.1", tls.port, ssl=context)
    try:
        yield
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.transport.abort()
