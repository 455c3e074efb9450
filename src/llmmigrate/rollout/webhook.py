"""Alerts: a signed JSON message, sent again where it was not taken."""

import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping
from typing import Any, Final

from llmmigrate.endpoints.http import HttpError, post
from llmmigrate.errors import UsageError
from llmmigrate.hosts import is_web_address
from llmmigrate.rollout.plan import Monitoring

_WAITS: Final = (0.0, 1.0, 3.0)
"""Seconds before each try."""


def check_webhook(monitoring: Monitoring) -> None:
    """UsageError where the variable with the address, or with the secret that signs alerts, is not set or holds none.

    The address itself stays unsaid: it may hold a secret.
    """
    if monitoring.webhook is not None:
        _check_address(monitoring.webhook)
    name = _unset_secret(monitoring)
    if name is not None:
        raise UsageError(
            f"{name} is not set",
            why="monitoring.webhook_secret names it, and alerts would go out unsigned",
            fix="set it to the secret, or take webhook_secret out of the plan",
        )


def alert(monitoring: Monitoring, message: Mapping[str, Any]) -> str | None:
    """Send a message to the plan's webhook; None when it was taken or there is none, else why not.

    With a secret, the header X-Llmmigrate-Signature is `sha256=` and the HMAC-SHA-256 of the body in hexadecimal; where
    the plan names one that is not set, nothing is sent.
    """
    unset = _unset_secret(monitoring)
    if unset is not None:
        return f"{unset} is not set"
    url = _address(monitoring.webhook)
    if url is None:
        return None if monitoring.webhook is None else f"{monitoring.webhook.removeprefix('env:')} is not set"
    body = json.dumps(message, sort_keys=True).encode()
    headers = {"content-type": "application/json", **_signature(monitoring.webhook_secret, body)}
    why = None
    for wait in _WAITS:
        time.sleep(wait)
        why = _sent(url, body, headers)
        if why is None:
            return None
    return why


def _unset_secret(monitoring: Monitoring) -> str | None:
    """The variable that alerts are to be signed with, where it is not set."""
    name = monitoring.webhook_secret
    return name if monitoring.webhook is not None and name is not None and not os.environ.get(name) else None


def _check_address(hook: str) -> None:
    variable, address = hook.removeprefix("env:"), _address(hook)
    why = "monitoring.webhook names it, and nobody would be told of a rollback"
    if address is None:
        fix = "set it to the address, or take webhook out of the plan"
        raise UsageError(f"{variable} is not set", why=why, fix=fix)
    if not is_web_address(address):
        raise UsageError(f"{variable} holds no address of a webhook", why=why, fix="set it to https://…")


def _address(hook: str | None) -> str | None:
    """The address in force; the line end of a file that a variable was read from is no part of it."""
    if hook is None or not hook.startswith("env:"):
        return hook
    return os.environ.get(hook.removeprefix("env:"), "").strip() or None


def _signature(name: str | None, body: bytes) -> dict[str, str]:
    secret = os.environ.get(name or "")
    if not secret:
        return {}
    return {"x-llmmigrate-signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def _sent(url: str, body: bytes, headers: Mapping[str, str]) -> str | None:
    """Why one try failed; the address stays unsaid, it may hold a secret."""
    try:
        status = post(url, body, headers)
    except HttpError as error:
        return type(error.__cause__ or error).__name__
    return None if 200 <= status < 300 else f"HTTP {status}"
