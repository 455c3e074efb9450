"""What a failed attempt is called, from the status and words of the endpoint; `docs/failures.md` explains each.

The words are those of OpenAI, Anthropic, vLLM, LiteLLM, transformers, llama.cpp and Z.ai (whose business codes stand in
https://docs.z.ai/api-reference/api-code). A code is believed before a status, and a status before words in a message.
"""

import errno
import re
import socket
from collections.abc import Iterable, Iterator
from typing import Any, Final

from llmmigrate.endpoints.exchange import Failure

RETRIED: Final[frozenset[Failure]] = frozenset(
    {
        *("server", "rate_limit", "connection", "disconnected", "ours"),
        *("timeout_connect", "timeout_first_token", "timeout_read"),
    }
)
"""What another try may mend. Everything else was decided by the request, or may already have been paid for."""

OUTAGE: Final[frozenset[Failure]] = frozenset(
    {
        *("server", "connection", "disconnected", "malformed", "truncated_stream", "auth", "quota"),
        *("timeout_connect", "timeout_first_token", "timeout_read", "timeout_total"),
    }
)
"""What tells that the endpoint itself is in trouble, when it happens again and again."""

_CODES: Final[dict[Failure, str]] = {
    "quota": "insufficient_quota billing_error billing_hard_limit_reached 1113 1304 1308",
    "auth": "invalid_api_key authentication_error permission_error no_db_connection 1110 1111 1112 1121",
    "context_length": "context_length_exceeded exceed_context_size_error 1261",
    "content_filter": "content_filter content_policy_violation invalid_prompt 1300 1301",
    "unsupported_parameter": "unsupported_parameter unsupported_value unknown_parameter 1215",
    "not_found": "model_not_found not_found_error 1211 1221 1222",
    "rate_limit": "rate_limit_exceeded rate_limit_error 1302 1303 1305",
    "server": "overloaded_error api_error server_error internal_server_error 1230 1234",
}
_BY_CODE: Final = {code: failure for failure, codes in _CODES.items() for code in codes.split()}

_CERTAIN: Final[dict[int, Failure]] = {
    **dict.fromkeys((301, 302, 303, 307, 308), "not_found"),  # it has moved; a key is not sent after it
    401: "auth",
    402: "quota",
    405: "not_found",
    408: "server",
    409: "server",
    425: "server",
    434: "auth",
}
_OTHERWISE: Final[dict[int, Failure]] = {403: "auth", 404: "not_found", 429: "rate_limit"}
"""What these mean, unless the message has words for something else."""

_PHRASES: Final[dict[Failure, str]] = {
    "quota": r"credit balance|insufficient (?:quota|balance|credit)|exceeded your current quota|in arrears",
    "context_length": r"context.?(?:length|window|size)|prompt is too long|exceed context limit|reduce the length"
    r"|maximum (?:context|model) length|too many (?:input )?tokens",
    "content_filter": r"content.?(?:filter|policy|management)|responsible ai|sensitive content|flagged",
    "unsupported_parameter": r"unsupported (?:parameter|value)|unknown parameter|unrecognized request argument"
    r"|unexpected fields in the request|extra (?:inputs|fields) (?:are )?not permitted|unsupportedparamserror"
    r"|does not support (?:the )?param"
    r"|(?:is|are) not supported (?:with|by|for) (?:this|the) (?:model|endpoint)|cannot be set simultaneously",
    "not_found": r"model\S* (?:\S+ )?(?:does not exist|not found)|no such model|unknown model|invalid model name"
    r"|server is pinned to",
}
_WORDS: Final = {failure: re.compile(words, re.IGNORECASE) for failure, words in _PHRASES.items()}

_OURS: Final = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS),
        *(errno.ENETDOWN, errno.ENETUNREACH, errno.EADDRNOTAVAIL),
    }
)
"""No handles, no memory, no network: nothing that an endpoint could have done."""

_QUOTED: Final = re.compile(r"['\"`](\w+)")
_BESIDE_COLON: Final = re.compile(r"\w+(?=\s*:)|(?<=: )\w+")
_SHORT: Final = 300
_SECRET: Final = re.compile(
    r"\b(?:Bearer\s+\S{8,}|(?:sk|pk|rk|key|gsk|xai|api)[-_][\w*.-]{8,}|[\w-]{40,}|(?=\w*\d)(?=\w*[A-Za-z])\w{32,})"
)


def of_answer(status: int, body: Any) -> Failure:
    """Why an endpoint refused: from the status and the error object that it sent (any JSON value, or text)."""
    codes = [str(code).casefold() for code in _named(body) if code is not None]
    for code in codes:
        if code in _BY_CODE:
            return _BY_CODE[code]
    if status < 400:  # an error object in an answer that began as a success may carry the status itself
        status = next((int(code) for code in codes if re.fullmatch(r"[45]\d\d", code)), status)
    if status in _CERTAIN:
        return _CERTAIN[status]
    said = message(body)
    found = (failure for failure, words in _WORDS.items() if words.search(said)) if status < 500 else iter(())
    return next(found, _OTHERWISE.get(status) or ("server" if status >= 500 or status < 300 else "bad_request"))


def of_error(error: BaseException) -> Failure:
    """Why nothing could be sent or read, from the exception of the connection and what caused it."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            # The resolver could not be asked (ours), or it answered that there is no such host (theirs).
            return "ours" if cause.errno == socket.EAI_AGAIN else "connection"
        if isinstance(cause, OSError) and cause.errno in _OURS:
            return "ours"
    return "connection"


def reason(error: BaseException) -> str:
    """The words of the first cause that the system named, else of the exception itself."""
    named = (cause.strerror for cause in _causes(error) if isinstance(cause, OSError) and cause.strerror)
    return next(named, None) or str(error) or type(error).__name__


def message(body: Any) -> str:
    """The words of an error object in any of the shapes that servers use; its text where it has no known shape."""
    if isinstance(body, dict):
        error = body.get("error")
        for value in (error, body.get("message"), body.get("detail")):
            if isinstance(value, dict):
                return _words_of(value)
            if value:
                return str(value)
    return str(body) if body is not None else ""


def parameter(said: str, sent: Iterable[str]) -> str | None:
    """Which of the parameters that were `sent` an endpoint's words are about; None where they name none.

    Names in quotes come first, then one beside a colon: other words may only happen to be called the same.
    """
    names = set(sent)
    return next((name for name in (*_QUOTED.findall(said), *_BESIDE_COLON.findall(said)) if name in names), None)


def shown(said: str, key: str | None) -> str | None:
    """What an endpoint said as one short line, without anything that looks like a key; None when it said nothing."""
    if key:
        said = said.replace(key, "[key]")
    line = _SECRET.sub("[removed]", " ".join(said.split()))
    return (line if len(line) <= _SHORT else f"{line[:_SHORT]}…") or None


def _words_of(error: dict[str, Any]) -> str:
    """The message of an error object, with that of the server behind a relay."""
    behind = error.get("metadata")
    raw = behind.get("raw") if isinstance(behind, dict) else None
    said = str(error.get("message") or error.get("msg") or error)
    return f"{said}: {raw}" if raw else said


def _named(body: Any) -> Iterator[Any]:
    """The codes and types by which an error object names its kind."""
    if not isinstance(body, dict):
        return
    error = body.get("error")
    for level in (error, body):
        if isinstance(level, dict):
            yield from (level.get(name) for name in ("code", "type"))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__
