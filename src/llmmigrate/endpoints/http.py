"""HTTP, one request at a time: what a gateway's state and an alert need."""

from collections.abc import Mapping

import httpx

CONNECT_SECONDS = 5.0


class HttpError(Exception):
    """No answer: connection refused, a time-out, a broken stream. The text says which."""


def get_text(url: str, *, seconds: float = 5.0) -> str:
    """The body of a URL. HttpError where there is none within `seconds`, or for a status other than 200."""
    try:
        with httpx.Client(timeout=_timeout(seconds), trust_env=False) as client:
            response = client.get(url)
    except httpx.HTTPError as error:
        raise HttpError(str(error) or type(error).__name__) from error
    if response.status_code != httpx.codes.OK:
        raise HttpError(f"HTTP {response.status_code}")
    return response.text


def post(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = 10.0) -> int:
    """POST a body; the status of the answer. HttpError where there is none within `seconds`."""
    try:
        with httpx.Client(timeout=_timeout(seconds)) as client:
            return client.post(url, content=body, headers=dict(headers)).status_code
    except httpx.HTTPError as error:
        raise HttpError(str(error) or type(error).__name__) from error


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
