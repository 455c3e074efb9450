"""Names in a log record: ids, models, providers, tiers, tags, errors.

Nothing here raises; what is no usable name is None. Keys and headers never become tags.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

MOST_TAG_BYTES: Final = 128
_MOST_ID_BITS: Final = 512
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-]{0,63}", re.ASCII)
_EMPTY: Final = frozenset({"", "none", "null", "false", "0", "{}", "[]"})

_SECRETS: Final = frozenset(
    {"apikey", "authorization", "auth", "token", "access_token", "secret", "password", "cookie", "headers"}
)
_SECRET_ENDINGS: Final = ("api_key", "_headers", "_secret", "_password", "_token")
_SECRET_STARTS: Final = ("sk-", "Bearer ", "bearer ")

_STANDARD: Final = frozenset({"", "default", "auto", "on_demand", "ondemand", "standard", "none", "null"})

_PROVIDERS: Final = {
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "aws.bedrock": "bedrock",
    "aws_bedrock": "bedrock",
    "amazon_bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "google_genai": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "fireworks_ai": "fireworks",
    "together_ai": "together",
    "togetherai": "together",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "z.ai": "zai",
    "zhipu": "zhipuai",
}
"""Spellings of OpenTelemetry, LiteLLM and the SDKs → the name of the price table."""


def text(value: Any) -> str | None:
    """A non-empty string, or a whole number as one (an id beyond 2^53 keeps every digit); else None."""
    if type(value) is str:
        return value or None
    if type(value) is int and value.bit_length() <= _MOST_ID_BITS:
        return str(value)
    return None


def model(value: Any) -> str | None:
    """A model's name exactly as logged, also an empty one; None when the log has no string."""
    return value if type(value) is str else None


def provider(value: Any) -> str | None:
    """Who bills, under the name that price tables use where the spelling is a known one."""
    if type(value) is not str:
        return None
    name = value.strip().casefold()
    return _PROVIDERS.get(name, name) or None


def tier(value: Any) -> str:
    """The service tier: `standard` for what vendors call default, auto or on demand; else as logged."""
    if type(value) is not str:
        return "standard"
    name = value.strip().casefold()
    if name in _STANDARD:
        return "standard"
    return name.removeprefix("on_demand_") if name.startswith("on_demand_") else name


def tag(value: Any) -> str | None:
    """A short scalar as a tag's value; None for a credential, text over 128 bytes, null, NaN, lists and objects."""
    if type(value) is str:
        return value if len(value) <= MOST_TAG_BYTES and _is_fit(value) else None
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        return text(value)
    if type(value) is float and math.isfinite(value):
        return repr(value)
    return None


def _is_fit(value: str) -> bool:
    if value.startswith(_SECRET_STARTS):
        return False
    return value.isascii() or len(value.encode("utf-8", "surrogatepass")) <= MOST_TAG_BYTES


def tags(values: Any, keys: Iterable[str] | None = None) -> dict[str, str]:
    """The short scalars of an object (of `keys` alone, where given) as tags; secrets are left out."""
    if not isinstance(values, Mapping):
        return {}
    found = {}
    for key in values if keys is None else keys:
        value = tag(values.get(key))
        if value is not None and not is_secret(key) and tag(key) is not None:
            found[key] = value
    return found


def is_secret(key: Any) -> bool:
    """Whether a field of this name holds a credential, or headers that may."""
    if not isinstance(key, str):
        return False
    name = key.casefold().replace("-", "_")
    return name in _SECRETS or name.endswith(_SECRET_ENDINGS)


def error(status: Any, body: Any) -> str | None:
    """The class of a failure, None for success. An `error` body is a failure whatever the status says.

    A class is a short word of the log (`rate_limit`, `timeout`), else the HTTP number, else `error`; the message of an
    error is never taken, because it may quote a prompt.
    """
    failed = _failed_status(status)
    if _is_error(body):
        return _word(body) or failed or "error"
    return failed


def _is_error(body: Any) -> bool:
    if isinstance(body, str):
        return body.strip().casefold() not in _EMPTY
    return bool(body) and body == body  # NaN is no error


def _word(body: Any) -> str | None:
    """The short class that an error body names, most specific first."""
    if isinstance(body, Mapping):
        named = (_word_of_scalar(body.get(key)) for key in ("code", "type", "error_class", "status", "name"))
        return next((word for word in named if word), None)
    return _word_of_scalar(body)


def _word_of_scalar(value: Any) -> str | None:
    word = text(value)
    return word if word is not None and _SLUG.fullmatch(word) and word.casefold() not in _EMPTY else None


def _failed_status(status: Any) -> str | None:
    if isinstance(status, str):
        return _failed_word(status.strip().casefold())
    if type(status) in (int, float) and 400 <= status < 1000:
        return str(int(status))
    return "error" if status is False else None


_FAILURES: Final = {
    "error": "error",
    "errored": "error",
    "fail": "error",
    "failed": "error",
    "failure": "error",
    "exception": "error",
    "timeout": "timeout",
    "timed_out": "timeout",
    "rate_limit": "rate_limit",
    "rate_limited": "rate_limit",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}


def _failed_word(word: str) -> str | None:
    if word.isascii() and word.isdigit() and len(word) == 3:
        return word if int(word) >= 400 else None
    return _FAILURES.get(word)
