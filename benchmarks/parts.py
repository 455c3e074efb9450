"""What single decisions cost, each against its alternative: `python -m benchmarks.parts [LINES]`.

One process a variant, so that each has its own peak of memory. The pages in docs/decisions quote this table.
"""

import gc
import gzip
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.make_logs import write_log
from benchmarks.measure import KIB_PER_MAXRSS
from benchmarks.report import markdown_table

if TYPE_CHECKING:
    from llmmigrate.logs.rows import FlatLane

LINES = 200_000
TABLES = Path(__file__).parents[1] / "pricing" / "imported"


def read(path: str, *, timed_sketches: bool = False) -> int:
    """Read a log; the bytes of its profile before compression."""
    from llmmigrate.logs.reader import ReadOptions
    from llmmigrate.logs.reader import read as read_log
    from llmmigrate.prices import load_catalog
    from llmmigrate.usage import store
    from llmmigrate.usage.cuts import CutMarks

    marks = load_catalog().marks()
    cuts = CutMarks(instants=marks.instants, clocks=marks.clocks, prompt=marks.prompt, output=marks.output)
    saved = store.dump(read_log([path], ReadOptions(marks=cuts, timed_sketches=timed_sketches)))
    return len(gzip.decompress(saved) if saved.startswith(b"\x1f\x8b") else saved)


def read_line_by_line(path: str) -> int:
    """Read a log without the quick lane."""
    from llmmigrate.logs.reader import Reader

    Reader._may_be_quick = lambda self, size: False  # type: ignore[method-assign]
    return read(path)


def read_by_day(path: str) -> int:
    """Read a log with sketches by model and day."""
    return read(path, timed_sketches=True)


def hash_bytes(path: str) -> int:
    """What every input costs: its bytes are read and hashed."""
    from llmmigrate.logs.source import ByteSource

    return sum(map(len, ByteSource(path).blocks()))


def decode(path: str) -> int:
    """Typed rows of the lines, made and thrown away."""
    return sum(len(rows) for _, rows in _decoded(path))


def decode_into_columns(path: str) -> int:
    """The same rows as columns of Python objects, thrown away."""
    return sum(lane.columns(rows).size for lane, rows in _decoded(path))


def scan(path: str) -> int:
    """The same columns by compiled code, with the hashes that ids are told apart by."""
    import msgspec

    from llmmigrate.logs.identities import id_hashes
    from llmmigrate.logs.lane import Codes
    from llmmigrate.logs.rows import shape_of
    from llmmigrate.logs.scan import Scanner
    from llmmigrate.usage.columns import ColumnWriter
    from llmmigrate.usage.cuts import CutMarks, Cuts
    from llmmigrate.usage.profile import Profile

    codes = Codes(ColumnWriter(Profile(CutMarks(), ()), Cuts(CutMarks())), None)
    scanner, rows = None, 0
    for chunk in _chunks(path):
        if scanner is None:
            shape = shape_of(msgspec.json.decode(chunk[: chunk.index(b"\n")]))
            scanner = Scanner.of(shape, ()) if shape is not None else None
        assert scanner is not None, "no C compiler when this was installed"
        fields = scanner.read(chunk, codes)
        assert fields is not None
        rows += len(id_hashes([text or "" for text in fields.ids]))
    return rows


def find_quotes(path: str) -> int:
    """The least that a reader in numpy would do instead of decoding: the places of all quotes and line ends."""
    import numpy as np

    found = 0
    for chunk in _chunks(path):
        signs = np.frombuffer(chunk, dtype=np.uint8)
        found += len(np.flatnonzero(signs == ord('"'))) + len(np.flatnonzero(signs < ord(" ")))
    return found


def count_with_duckdb(path: str) -> int:
    """The yardstick: DuckDB's bare count of the lines."""
    from benchmarks.peers import count_with_duckdb

    count_with_duckdb(path, None)
    return 0


def _decoded(path: str) -> Iterator[tuple["FlatLane", list[Any]]]:
    import msgspec

    from llmmigrate.logs.rows import FlatLane, shape_of

    lane = None
    gc.disable()  # as the reader does
    for chunk in _chunks(path):
        if lane is None:
            shape = shape_of(msgspec.json.decode(chunk[: chunk.index(b"\n")]))
            assert shape is not None
            lane = FlatLane(shape, ())
        yield lane, lane.decode(chunk) or []


def _chunks(path: str) -> Iterator[bytes]:
    from llmmigrate.logs.records import line_chunks
    from llmmigrate.logs.source import BLOCK

    with open(path, "rb") as file:
        yield from line_chunks(iter(lambda: file.read(BLOCK), b""))


def load_tables(path: str) -> int:
    """Read the imported price tables as they are; their bytes."""
    from llmmigrate.prices.files import read_price_file

    paths = sorted(TABLES.glob("*.yaml"))
    for table in paths:
        read_price_file(table, check=False)
    return sum(table.stat().st_size for table in paths)


def load_tables_as_yaml(path: str) -> int:
    """Read the imported price tables with the YAML parser."""
    from llmmigrate.prices import files

    files._machine_written = lambda data: None
    return load_tables(path)


VARIANTS: dict[str, Callable[[str], int]] = {
    "read a log": read,
    "its bytes and their SHA-256": hash_bytes,
    "its lines decoded": decode,
    "its lines decoded into columns": decode_into_columns,
    "its lines scanned into columns by compiled code": scan,
    "its quotes and line ends found with numpy": find_quotes,
    "its lines counted by DuckDB": count_with_duckdb,
    "read it line by line": read_line_by_line,
    "read it with sketches by day": read_by_day,
    "imported tables, JSON below comments": load_tables,
    "imported tables, by the YAML parser": load_tables_as_yaml,
}


def measure(name: str, path: str) -> None:
    """Run one variant in this process and print its figures; its imports come first and do not count."""
    for module in ("llmmigrate.logs.quick", "llmmigrate.prices.diagnosis", "benchmarks.peers"):
        import_module(module)
    start = time.process_time()
    size = VARIANTS[name](path)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB_PER_MAXRSS / 1024
    print(f"{seconds:.2f}\t{peak:.0f}\t{size / 1e6:.2f}")


def main(arguments: Sequence[str]) -> None:
    """Measure every variant on a log of so many lines and print the table."""
    if len(arguments) == 2:
        measure(*arguments)
        return
    lines = int(arguments[0]) if arguments else LINES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        write_log(lines, path)
        rows = [[name, *_figures(name, str(path))] for name in VARIANTS]
    head = [f"{lines:,} lines", "CPU s", "peak MiB", "MB made or read"]
    print(markdown_table(head, rows))


def _figures(name: str, path: str) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.parts", name, path]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


if __name__ == "__main__":
    main(sys.argv[1:])
