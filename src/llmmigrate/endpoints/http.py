"""HTTP, one request at a time: what readiness probes, short measurements, a gateway's state and an alert need."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx

CONNECT_SECONDS = 5.0


class Reply(NamedTuple):
    """An answer: its status, and its body where that is JSON."""

    status: int
    body: Any


class HttpError(Exception):
    """No answer: connection refused, a time-out, a broken stream. The text says which."""


def get_json(url: str, *, key: str | None = None, seconds: float = 5.0) -> Reply:
    """GET a URL. HttpError where there is no answer within `seconds`."""
    return _reply("GET", url, None, key, seconds)


def post_json(url: str, body: Mapping[str, Any], *, key: str | None = None, seconds: float = 60.0) -> Reply:
    """POST a JSON body. HttpError where there is no answer within `seconds`."""
    return _reply("POST", url, body, key, seconds)


def stream_events(
    url: str, body: Mapping[str, Any], *, key: str | None = None, seconds: float = 60.0
) -> Iterator[dict[str, Any]]:
    """POST a JSON body and yield the JSON of each server-sent event as it comes, without the closing `[DONE]`.

    HttpError for a status other than 200 and where nothing comes for `seconds`.
    """
    try:
        with (
            httpx.Client(timeout=_timeout(seconds), trust_env=False) as client,
            client.stream("POST", url, json=dict(body), headers=_headers(key)) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise HttpError(f"HTTP {response.status_code}")
            for line in response.iter_lines():
                if line.startswith("data:") and line.removeprefix("data:").strip() != "[DONE]":
                    yield _event(line.removeprefix("data:"))
    except httpx.HTTPError as error:
        raise HttpError(_words(error)) from error


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
    """POST a body; the status of the answer. HttpError where there is none within `seconds`, or for what is no URL."""
    try:
        with httpx.Client(timeout=_timeout(seconds)) as client:
            return client.post(url, content=body, headers=dict(headers)).status_code
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # ValueError: a host that cannot be encoded
        raise HttpError(str(error) or type(error).__name__) from error


def _event(text: str) -> dict[str, Any]:
    try:
        event = json.loads(text)
    except ValueError as error:
        raise HttpError("the stream holds an event that is no JSON") from error
    return event if isinstance(event, dict) else {}


def _reply(method: str, url: str, body: Mapping[str, Any] | None, key: str | None, seconds: float) -> Reply:
    try:
        with httpx.Client(timeout=_timeout(seconds), trust_env=False) as client:
            response = client.request(method, url, json=dict(body) if body is not None else None, headers=_headers(key))
    except httpx.HTTPError as error:
        raise HttpError(_words(error)) from error
    try:
        return Reply(response.status_code, response.json())
    except ValueError:
        return Reply(response.status_code, None)


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))


def _headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key is not None else {}


def _words(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
