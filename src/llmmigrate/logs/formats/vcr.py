"""VCR cassettes (vcrpy, pytest-recording): what a test suite sent and got, one call an interaction.

Each is read as a request capture. The date is that of the answer's own header; other headers, which may hold keys, are
never looked at. Cassettes are YAML or JSON documents.
"""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs.formats import NotACall, Slot, http_capture

NAME: Final = "vcr"

_GZIP: Final = b"\x1f\x8b"


def matches(record: dict[str, Any]) -> bool:
    """A cassette has `interactions`."""
    return "interactions" in record


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Slot]:
    """One slot an interaction."""
    rows = record.get("interactions")
    found: list[Slot] = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("request"), dict):
            found += http_capture.read(_capture(row), keep_text=keep_text)
        else:
            found.append(NotACall("rejected", "not_an_object"))
    return found or (NotACall("other", "empty_container"),)


def _capture(row: dict[str, Any]) -> dict[str, Any]:
    request = row["request"]
    found = row.get("response")
    response = found if isinstance(found, dict) else {}
    return {
        "url": request.get("uri") or request.get("url"),
        "timestamp": row.get("recorded_at") or _date(response.get("headers")),
        "request": {"body": _text(request.get("body"))},
        "response": {"status": response.get("status"), "body": _text(response.get("body"))},
    }


def _text(body: Any) -> Any:
    """A body as text: cassettes hold text, bytes, or an object with `string`, compressed or not."""
    if isinstance(body, dict):
        body = body.get("string", body)
    if not isinstance(body, bytes):
        return body
    return _inflated(body).decode(errors="replace")


def _inflated(data: bytes) -> bytes:
    import zlib

    if not data.startswith(_GZIP):
        return data
    try:
        return zlib.decompressobj(wbits=47).decompress(data)
    except zlib.error:
        return b""


def _date(headers: Any) -> Any:
    """The answer's Date header; its values are lists."""
    if not isinstance(headers, dict):
        return None
    found = next((value for name, value in headers.items() if str(name).casefold() == "date"), None)
    return found[0] if isinstance(found, list) and found else found
