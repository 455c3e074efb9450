"""Server-sent events from the bytes of a stream, as they come.

Works on bytes and keeps only the line that is not yet whole, so an answer costs no more memory than its longest line.
The rules are those of https://html.spec.whatwg.org/multipage/server-sent-events.html, of which model endpoints use the
data field alone.
"""


class EventReader:
    """Feeds on chunks; gives the data of each event that is whole."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that this chunk completes."""
        self._rest.append(chunk)
        found: list[bytes] = []
        if b"\n" not in chunk:
            return found  # joined once, when the line is whole: a long line must not cost its length for every piece
        lines = b"".join(self._rest).split(b"\n")
        self._rest = [lines.pop()]
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                found.append(self._take())
        return found

    def close(self) -> list[bytes]:
        """The data of an event that the end of the stream completes: some servers leave out the last empty line."""
        return self.feed(b"\n\n")

    def _take(self) -> bytes:
        data, self._data = b"\n".join(self._data), []
        return data
