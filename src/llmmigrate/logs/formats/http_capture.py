"""Request and response captures: an envelope around a vendor's answer, which the answer's own format reads.

The envelope tells instant, latency and status; the answer tells id, model and usage. Bodies may be objects, JSON text
or recorded event streams. Headers are never kept, and a URL may hold a key, so neither becomes a tag.
"""

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from llmmigrate.logs import bodies, names, texts
from llmmigrate.logs.draft import Draft, finish, surround
from llmmigrate.logs.field_names import TOKEN_FIELDS, fields
from llmmigrate.logs.formats import NotACall, Slot, flat
from llmmigrate.logs.values import duration_ms

NAME: Final = "http_capture"

_REQUESTS: Final = ("request", "req", "request_body", "requestBody")
_RESPONSES: Final = ("response", "response_sse", "res", "response_body", "responseBody")
_OWN_KEYS: Final = frozenset({*_REQUESTS, *_RESPONSES, "method", "url", "host", "query", "provider_processing_ms"})
_OTHER_FORMATS: Final = frozenset({"custom_id", "call_type", "ai_model", "testIdx"})
_MODEL_IN_PATH: Final = re.compile(r"/(?:models|deployments)/([^/:?]+)")

_HOSTS: Final = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "google",
    "aiplatform.googleapis.com": "google",
    "api.deepseek.com": "deepseek",
    "api.z.ai": "zai",
    "open.bigmodel.cn": "zhipuai",
    "api.moonshot.ai": "moonshotai",
    "dashscope-intl.aliyuncs.com": "dashscope-intl",
    "api.holysheep.ai": "holysheep",
    "openai.azure.com": "azure",
    "services.ai.azure.com": "azure",
    "api.mistral.ai": "mistral",
    "api.groq.com": "groq",
    "api.together.xyz": "together",
    "api.fireworks.ai": "fireworks",
    "api.x.ai": "x-ai",
    "api.cohere.com": "cohere",
    "openrouter.ai": "openrouter",
    "api.perplexity.ai": "perplexity",
}
"""Public hosts → who bills."""


def matches(record: dict[str, Any]) -> bool:
    """A response beside a request, or a response that is an object; not where counts are at the top already."""
    if not _OTHER_FORMATS.isdisjoint(record) or not TOKEN_FIELDS.isdisjoint(fields(tuple(record)).keys):
        return False
    if _first_key(record, _RESPONSES) is None:
        return False
    if _first_key(record, _REQUESTS) is not None or "response_sse" in record:
        return True
    kind = record.get("type")
    return type(record.get("response")) is dict and not (type(kind) is str and kind.startswith("response."))


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Slot]:
    """One call; an exchange that names no model and holds no answer is none."""
    request = _request(record)
    response = _response(record)
    answer = bodies.answer_in(response)
    made = bodies.draft_of(answer, keep_text=keep_text) or Draft()
    surround(made, _envelope(record))
    failure = names.error(_status(response), None if answer else bodies.error_in(response))
    if failure is not None:
        made.fields["error"] = failure
    _add_request(made, request)
    _add_place(made, record)
    if made.fields.get("model") is None and answer is None:
        return (NotACall("other", "not_an_llm_call"),)
    if keep_text:
        texts.keep(made, request, response if answer is None and isinstance(response, str) else None, None)
    return (finish(made),)


def _envelope(record: dict[str, Any]) -> Draft:
    made = flat.draft(record, keep_text=False, own=_OWN_KEYS)
    if made.fields.get("latency_ms") is None:
        made.fields["latency_ms"] = duration_ms(record.get("provider_processing_ms"), made.warnings)
    return made


def _first_key(record: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if key in record), None)


def _request(record: dict[str, Any]) -> dict[str, Any]:
    value = next((record[key] for key in _REQUESTS if record.get(key) is not None), None)
    request = texts.parsed(value)
    if isinstance(request, dict):
        posted = request.get("postData")
        body = texts.parsed(request.get("body", posted.get("text") if isinstance(posted, dict) else None))
        request = body if isinstance(body, dict) else request
    return texts.request_of(request) or {}


def _response(record: dict[str, Any]) -> Any:
    return next((record[key] for key in _RESPONSES if record.get(key) is not None), None)


def _status(response: Any) -> Any:
    """The HTTP status inside a captured response; the envelope's own is read with the rest of the envelope."""
    if not isinstance(response, dict):
        return None
    status = response.get("status_code", response.get("status"))
    return status.get("code") if isinstance(status, dict) else status


def _add_request(made: Draft, request: dict[str, Any]) -> None:
    """What the request asked for, where the answer does not say what it got."""
    if made.fields.get("model") is None:
        made.fields["model"] = names.model(request.get("model"))
    if "service_tier" not in made.fields:
        made.fields["service_tier"] = names.tier(request.get("service_tier"))
    made.tag(names.tags(request, ("user",)) | names.tags(request.get("metadata")))


def _add_place(made: Draft, record: dict[str, Any]) -> None:
    """What the URL tells: who bills, and the model where the path holds it."""
    url = record.get("url") or record.get("host")
    if isinstance(url, str):
        made.fields["provider"] = _provider(url) or made.fields.get("provider")
        found = _MODEL_IN_PATH.search(url)
        if found and made.fields.get("model") is None:
            made.fields["model"] = found[1]


def _provider(url: str) -> str | None:
    try:
        host = urlsplit(url).hostname if "://" in url else url.split("/")[0].split(":")[0]
    except ValueError:
        return None
    if host is None:
        return None
    parts = host.casefold().split(".")
    return next((_HOSTS[name] for n in range(len(parts)) if (name := ".".join(parts[n:])) in _HOSTS), None)
