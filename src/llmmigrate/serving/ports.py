"""Whether a port is free, and who has it when it is not."""

import errno
import socket
from typing import Any

import psutil

from llmmigrate.errors import ServingError, UsageError


def check_port(host: str, port: int) -> None:
    """ServingError, with the process that listens there where it can be seen, unless the port can be taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UsageError(f"--host '{host}' is no address of this machine", fix="write --host 127.0.0.1") from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: waiting connections do not count
        try:
            probe.bind(address)
        except OSError as error:
            raise _taken(host, port, error) from error


def _taken(host: str, port: int, error: OSError) -> ServingError:
    if error.errno == errno.EADDRNOTAVAIL:
        return ServingError(f"{host} is no address of this machine", fix="write --host 127.0.0.1", code="host")
    if error.errno == errno.EACCES:
        return ServingError(f"port {port} needs rights that you do not have", fix="write --port 8000", code="port")
    holder = _holder(port)
    by = f" by {holder}" if holder else ""
    return ServingError(
        f"port {port} is taken{by}",
        fix=f"stop it, or write --port {port + 1 if port < 65535 else 8000}",
        code="port_taken",
    )


def _holder(port: int) -> str | None:
    """`pid 4121 (vllm)`, None where the system does not tell."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.AccessDenied, OSError):
        return None
    for connection in connections:
        place: Any = connection.laddr  # its stub has it empty
        if connection.status == psutil.CONN_LISTEN and place and place.port == port and connection.pid:
            try:
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
            except psutil.Error:
                return f"pid {connection.pid}"
    return None
