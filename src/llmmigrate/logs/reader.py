"""Reads logs into a usage profile: the reference that every faster engine must equal byte for byte."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from llmmigrate import registry
from llmmigrate.errors import InputError, unknown_name
from llmmigrate.logs import formats
from llmmigrate.logs.cassettes import cassette, is_cassette
from llmmigrate.logs.documents import Documents, shows_its_kind, starts_document
from llmmigrate.logs.formats import NotACall
from llmmigrate.logs.identities import Identities, anonymous_hash, fingerprint, hash_text, id_hash
from llmmigrate.logs.merging import OpenCalls
from llmmigrate.logs.records import Record, line_chunks, line_records
from llmmigrate.logs.saved import fitted
from llmmigrate.logs.source import ByteSource, expand
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage import store
from llmmigrate.usage.accounting import Source
from llmmigrate.usage.call import Call
from llmmigrate.usage.cuts import CutMarks, Cuts
from llmmigrate.usage.profile import SESSION_BUCKETS, Cell, CellKey, Profile, ProfileWriter, disjoint_tokens

if TYPE_CHECKING:
    from llmmigrate.logs.quick import QuickReader

DAY_NS: Final = 86_400 * NANOSECONDS
CALL_FIELDS: Final = ("provider", "model", "service_tier", "session_id", "finish_reason", "error")
"""Fields of a call that --where can name besides tags."""

QUICK_FROM: Final = 1 << 17
"""Blocks below so many bytes are read line by line: columns would not pay."""
QUICK_AFTER: Final = 4000
"""Records that are read line by line first: a small log does not pay for the import of numpy."""
QUICK_AT_ONCE: Final = 1 << 19
"""A block of so many bytes pays for it by itself, be it the first."""

CallSink = Callable[[Call, str], None]


class CostCheck(Protocol):
    """Compares the costs that a log states with the recomputed ones."""

    def rates(self, key: CellKey) -> tuple[float, ...] | None:
        """USD a token by `TOKEN_CLASSES`, then of a request; None where calls of the cell cannot be compared."""
        ...

    def agree(self, calls: int) -> None:
        """So many calls were found equal."""
        ...

    def add(self, key: CellKey, call: Cell, logged_pico: int, where: str) -> None:
        """Compare one call, which has a cell of its own."""
        ...


RejectSink = Callable[[str, str, bytes], None]
"""Told the place, the reason and the raw record."""


class ReadOptions(msgspec.Struct, frozen=True):
    """What to read and what to keep of it."""

    marks: CutMarks = msgspec.field(default_factory=CutMarks)
    tags: tuple[str, ...] = ()
    """Tags that become part of the cells' keys."""
    where: Mapping[str, str] = msgspec.field(default_factory=dict)
    since_ns: int | None = None
    until_ns: int | None = None
    provider: str | None = None
    """Who bills calls whose log does not say it."""
    log_format: str | None = None
    keep_text: bool = False
    now_ns: int | None = None
    cost_check: "CostCheck | None" = None
    """Told every cost that the log states."""
    timed_sketches: bool = False
    """Keep latency and size distributions by day or hour, for groups by these."""


def read(
    paths: Sequence[str],
    options: ReadOptions,
    *,
    on_call: CallSink | None = None,
    on_reject: RejectSink | None = None,
    progress: Callable[[int], None] | None = None,
) -> Profile:
    """The profile of all files that the paths name; saved profiles among them are added.

    Raises InputError when a path does not exist or when nothing in the input is a call.
    """
    if options.log_format is not None and not registry.has("logs.formats", options.log_format):
        raise unknown_name("log format", options.log_format, registry.names("logs.formats"))
    reader = Reader(options, on_call=on_call, on_reject=on_reject)
    for path in expand(list(paths)):
        reader.read_file(path, progress)
    return reader.finish()


class Reader:
    """Reads one file after another into one profile; identities are known across files."""

    def __init__(
        self, options: ReadOptions, *, on_call: CallSink | None = None, on_reject: RejectSink | None = None
    ) -> None:
        self.options = options
        self.profile = Profile(options.marks, options.tags, timed_sketches=options.timed_sketches)
        instants = [ns // NANOSECONDS for ns in (options.since_ns, options.until_ns) if ns is not None]
        self.cuts = Cuts(options.marks, extra_instants=instants)
        self.writer = ProfileWriter(self.profile, self.cuts)
        self.identities = Identities()
        self._open = OpenCalls()
        self._on_call = on_call
        self._on_reject = on_reject
        self.now_ns = time.time_ns() if options.now_ns is None else options.now_ns
        self._quick: QuickReader | None = None
        self._path = ""
        self._formats: dict[str, int] = {}
        self._blank_files: list[str] = []
        self._seen_instead: list[str] = []

    def read_file(self, path: str, progress: Callable[[int], None] | None = None) -> None:
        """Read one file (`-` is standard input) to its end."""
        source = ByteSource(path, progress=progress)
        self._path, self._formats = path, {}
        lines = self.profile.accounting.lines
        before = lines.calls + lines.duplicates
        head = self._read_text(source)
        self._flush_open()
        accounting = self.profile.accounting
        if head is None:
            return
        accounting.sources.append(Source(path, source.bytes, source.sha256, dict(sorted(self._formats.items()))))
        for code in source.warnings:
            accounting.warn(code, path)
        if lines.calls + lines.duplicates == before:
            self._seen_instead.append(what_was_seen(head, path, source.bytes))

    def finish(self) -> Profile:
        """The profile; raises InputError when there was no call in any file. Nothing can be read after this."""
        self.identities = Identities()  # many megabytes, of which the profile now makes use
        if self._quick is not None:
            self._quick.flush()
        lines = self.profile.accounting.lines
        if not lines.add_up():
            raise AssertionError(f"line accounting does not add up: {lines}")
        if lines.calls == 0:
            raise self._no_records()
        for seen in self._seen_instead:
            self.profile.accounting.warn("file_without_calls", seen)
        return self.profile

    def _no_records(self) -> InputError:
        seen = self._seen_instead or ["no file"]
        code = "not_text" if all("binary" in text for text in seen) else "no_records"
        return InputError(
            "no usable record in the input",
            why="; ".join(seen[:3]) + (f"; and {len(seen) - 3} more files" if len(seen) > 3 else ""),
            fix="give a call log (JSON lines, a JSON array or an export of a supported tool; see docs/log-formats.md)",
            code=code,
        )

    def _read_text(self, source: ByteSource) -> bytes | None:
        """Read a source's text; returns its head, or None for a saved profile, which is added as it is."""
        blocks = source.blocks()
        head = b""
        for block in blocks:
            head += block
            if shows_its_kind(head):
                break
        blocks = _chain(head, blocks)
        if head.startswith(store.SIGNATURE):
            self._add_profile(b"".join(blocks), source.path)
            return None
        if is_cassette(head):
            for record in cassette(b"".join(blocks)):
                self.take(record)
            return head
        if starts_document(head):
            for record in Documents(blocks).records():
                self.take(record)
            return head
        number = 1
        for chunk in line_chunks(blocks):
            number += self.read_chunk(chunk, number)
        return head

    def read_chunk(self, chunk: bytes, first_line: int) -> int:
        """Read a chunk of whole lines; returns how many it has."""
        if len(chunk) >= QUICK_FROM and self._may_be_quick(len(chunk)):
            lines = self._quick_reader().read(chunk, first_line)
            if lines:
                return lines
        for record in line_records(chunk, first_line):
            self.take(record)
        return chunk.count(b"\n")

    def _may_be_quick(self, size: int) -> bool:
        """Whether columns can do everything that was asked for."""
        options = self.options
        if self.profile.accounting.lines.total < QUICK_AFTER and size < QUICK_AT_ONCE:
            return False
        plain = not options.where and not options.keep_text and self._on_call is None
        return plain and options.log_format in (None, formats.FALLBACK)

    def _quick_reader(self) -> "QuickReader":
        if self._quick is None:
            from llmmigrate.logs.quick import QuickReader  # numpy: not worth its import for a small log

            self._quick = QuickReader(self)
        return self._quick

    def take(self, record: Record) -> None:
        """Account for one record slot and add its calls."""
        accounting = self.profile.accounting
        for code in record.warnings:
            accounting.warn(code, self.place(record.line))
        if record.value is None:
            self._take_fault(record)
            return
        module = formats.detect(record.value, forced=self.options.log_format)
        if module is None:
            self._reject("unknown_format", record)
            return
        self.count_format(module.NAME, 1)
        for slot in module.read(record.value, keep_text=self.options.keep_text):
            if isinstance(slot, NotACall):
                self._take_non_call(slot, record)
            else:
                self._take_call(slot, record.line)

    def count_format(self, name: str, records: int) -> None:
        """Note so many records of a format in the current file."""
        self._formats[name] = self._formats.get(name, 0) + records

    def _take_fault(self, record: Record) -> None:
        accounting = self.profile.accounting
        if record.fault == "blank":
            accounting.lines.total += 1
            accounting.lines.blank += 1
        elif record.fault == "empty_container":
            accounting.lines.total += 1
            accounting.lines.other += 1
        else:
            if record.fault == "truncated_line":
                accounting.warn("truncated_last_line", self.place(record.line))
            self._reject(record.fault or "invalid_json", record)

    def _take_non_call(self, slot: NotACall, record: Record) -> None:
        if slot.kind == "rejected":
            self._reject(slot.reason, record)
            return
        lines = self.profile.accounting.lines
        lines.total += 1
        lines.other += 1

    def _reject(self, reason: str, record: Record) -> None:
        place = self.place(record.line)
        self.profile.accounting.reject(reason, place)
        if self._on_reject is not None:
            self._on_reject(place, reason, record.raw)

    def _take_call(self, call: Call, line: int) -> None:
        if call.merge and call.request_id is not None:
            self._take_part(call, line)
            return
        self._take_whole(call, line)

    def _take_part(self, call: Call, line: int) -> None:
        finished, joined = self._open.add(call, line)
        if joined:
            lines = self.profile.accounting.lines
            lines.total += 1
            lines.duplicates += 1
        if finished is not None:
            self._take_whole(*finished)

    def _flush_open(self) -> None:
        for call, line in self._open.close():
            self._take_whole(call, line)

    def _take_whole(self, call: Call, line: int) -> None:
        accounting = self.profile.accounting
        accounting.lines.total += 1
        first_attempt = self._identify(call, line)
        if first_attempt is None:
            accounting.lines.duplicates += 1
            accounting.warn("duplicates_removed", self.place(line))
            return
        accounting.lines.calls += 1
        if self.options.provider is not None and call.provider is None:
            call = msgspec.structs.replace(call, provider=self.options.provider)
        if not self._in_time(call):
            accounting.lines.filtered += 1
            return
        if not self._is_asked_for(call):
            accounting.lines.filtered += 1
            if call.start_ns is not None and not self._is_future(call):
                self.profile.widen(call.start_ns, call.start_ns)  # the log was observed then, whatever it is asked for
            return
        in_span = self._warn(call, line)
        session = None if call.session_id is None else hash_text(call.session_id) % SESSION_BUCKETS
        self.writer.add(call, first_attempt=first_attempt, session_bucket=session, in_span=in_span)
        if call.logged_cost is not None and self.options.cost_check is not None:
            tokens = disjoint_tokens(call)
            alone = Cell(calls=1, tokens=tokens, searches=call.searches, images=call.images)
            self.options.cost_check.add(self.writer.key(call, tokens), alone, call.logged_cost, self.place(line))
        if self._on_call is not None:
            self._on_call(call, self.place(line))

    def _identify(self, call: Call, line: int) -> bool | None:
        """Whether the call's identity is new; None for a duplicate."""
        if call.request_id is None:
            dated = call.start_ns is not None
            if dated and self.identities.look(anonymous_hash(call), fingerprint(call)).duplicate:
                self.profile.accounting.warn("identical_lines_without_id", self.place(line))
            return True
        seen = self.identities.look(id_hash(call.request_id), fingerprint(call))
        if seen.duplicate:
            return None
        if not seen.known:
            return True
        if call.merge:
            return None
        if call.error is None and not seen.failed_before:
            self.profile.accounting.warn("id_reused", self.place(line))
            return True
        return False

    def _in_time(self, call: Call) -> bool:
        options = self.options
        if options.since_ns is not None and (call.start_ns is None or call.start_ns < options.since_ns):
            return False
        return options.until_ns is None or (call.start_ns is not None and call.start_ns < options.until_ns)

    def _is_asked_for(self, call: Call) -> bool:
        return all(call_value(call, name) == wanted for name, wanted in self.options.where.items())

    def _warn(self, call: Call, line: int) -> bool:
        """Count what is odd about a call; returns whether it belongs to the observed span."""
        accounting = self.profile.accounting
        place = self.place(line)
        for code in call.warnings:
            accounting.warn(code, place)
        if call.merge and call.usage == "missing" and call.error is None:  # known only once all parts were read
            accounting.warn("usage_missing", place)
        if call.error is not None:
            accounting.warn("failed_calls", place, call.requests)
        if self._is_future(call):
            accounting.warn("future_timestamp", place)
            return False
        return True

    def _is_future(self, call: Call) -> bool:
        return call.start_ns is not None and call.start_ns > self.now_ns + DAY_NS

    def place(self, line: int) -> str:
        """Where a record stands: `file:line`."""
        return f"{self._path}:{line}"

    def _add_profile(self, data: bytes, path: str) -> None:
        self.profile.adopt(fitted(store.load(data, path), self.options, path))


def call_value(call: Call, name: str) -> str | None:
    """The value of a field or tag that --where or --by names; `tag.x` is the tag x only."""
    if name.startswith("tag."):
        return call.tags.get(name.removeprefix("tag."))
    if name in CALL_FIELDS:
        value = getattr(call, name)
        return None if value is None else str(value)
    return call.tags.get(name)


def _chain(head: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from chunks


def what_was_seen(head: bytes, path: str, size: int) -> str:
    """In words, what a file without a usable record looks like."""
    text = head[:4096].lstrip()
    if size == 0:
        return f"{path} is empty"
    if not text:
        return f"{path} holds only blank lines"
    if b"\0" in head[:4096] or sum(byte < 9 or 13 < byte < 32 or byte > 126 for byte in text) > len(text) // 4:
        return f"{path} is a binary file, not text"
    if text[:1] == b"<":
        return f"{path} is an HTML or XML page"
    first = text.split(b"\n", 1)[0].decode(errors="replace").strip()
    if "," in first and not first.startswith(("{", "[")):
        headers = ", ".join(name.strip().strip('"') for name in first.split(",")[:8])
        return f"{path} looks like CSV with the headers {headers}"
    return f"{path} has no line that is a call"
