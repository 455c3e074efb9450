"""The body of a request as a client sends it: whole, or not at all."""

import re
from collections.abc import Iterator
from email.message import Message
from io import BufferedIOBase
from typing import Final

MOST: Final = 256 << 20
"""Bytes of a body that are taken; it is held as a whole before it is sent on."""
_LENGTH: Final = re.compile("[0-9]{1,18}")
_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,16}")
_LINE: Final = 65_536
_TRAILERS: Final = 100


class NotWholeError(Exception):
    """A body that cannot be sent on, since a vendor would answer, and bill, what was never asked.

    `status` is what the client is told, if it still listens; `why` is for the user.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


def body_of(headers: "Message[str, str]", stream: BufferedIOBase) -> bytes:
    """The body of a request (RFC 9112, 6). NotWholeError where it ends early, is malformed or too large."""
    try:
        coding = headers.get("Transfer-Encoding")
        return _counted(headers, stream) if coding is None else _chunked(coding, stream)
    except OSError:
        raise _broken_off() from None


def _counted(headers: "Message[str, str]", stream: BufferedIOBase) -> bytes:
    lengths = {length.strip() for length in headers.get_all("Content-Length", ["0"])}
    length = lengths.pop()
    if lengths or _LENGTH.fullmatch(length) is None:
        raise NotWholeError(400, "its Content-Length is no length")
    if int(length) > MOST:
        raise _too_large()
    data = stream.read(int(length))
    if len(data) < int(length):
        raise _broken_off()
    return data


def _chunked(coding: str, stream: BufferedIOBase) -> bytes:
    if coding.strip().lower() != "chunked":
        raise NotWholeError(501, "its Transfer-Encoding is not chunked alone")
    body = bytearray()
    for chunk in _chunks(stream):
        body += chunk
        if len(body) > MOST:
            raise _too_large()
    return bytes(body)


def _chunks(stream: BufferedIOBase) -> Iterator[bytes]:
    """The chunks of a body (RFC 9112, 7.1). What comes after the last one is no part of it, and may be missing."""
    while size := _size(stream):
        data = stream.read(size)
        if len(data) < size:
            raise _broken_off()
        yield data
        if (end := stream.readline(2)) not in (b"\r\n", b"\n"):
            raise _broken_off() if end in (b"", b"\r") else _malformed()
    for _ in range(_TRAILERS):
        if not stream.readline(_LINE).strip():
            return
    raise _malformed()


def _size(stream: BufferedIOBase) -> int:
    line = stream.readline(_LINE)
    if not line.endswith(b"\n") and len(line) < _LINE:
        raise _broken_off()
    digits = line.partition(b";")[0].strip(b" \t\r\n")
    if _SIZE.fullmatch(digits) is None:
        raise _malformed()
    if int(digits, 16) > MOST:
        raise _too_large()
    return int(digits, 16)


def _broken_off() -> NotWholeError:
    return NotWholeError(400, "the client broke it off before its end")


def _malformed() -> NotWholeError:
    return NotWholeError(400, "its chunks are malformed")


def _too_large() -> NotWholeError:
    return NotWholeError(413, f"its body is larger than {MOST >> 20} MiB")
