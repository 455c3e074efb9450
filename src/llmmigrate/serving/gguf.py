"""A GGUF checkpoint of one's own: its shape is read from its header, its size from its files.

The layout is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: metadata, then the tensors' names,
shapes and places, then their data. Only the header is read, whatever the size of the file.
"""

import math
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from llmmigrate.errors import InputError, Location
from llmmigrate.serving.catalogue import ANY, Cache, Checkpoint, Model, Shape

SUFFIX: Final = ".gguf"
PRECISION: Final = "gguf"
ROUGH_BITS: Final = 3
"""Below so many bits a weight answers suffer."""

_VERSIONS: Final = (2, 3)
_SCALARS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING: Final = 8
_ARRAY: Final = 9
_LONGEST_KEPT: Final = 4096
"""Arrays of more values (the words of the tokenizer) are passed over."""
_MOST_DIMENSIONS: Final = 4
_LONG_CONTEXT: Final = 1 << 20
_FIRST_INDEXERS: Final = 2
_PART: Final = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


@dataclass(frozen=True, slots=True)
class _Header:
    """What the header of one file tells."""

    metadata: dict[str, Any]
    parameters: int
    """Values in the tensors of this file."""


def gguf_file(path: Path) -> Path | None:
    """The GGUF file that a path names: itself, or the only model in a folder; of one in parts, the first part.

    None for anything else. InputError for a folder that holds several models.
    """
    if path.suffix == SUFFIX:
        return path
    if not path.is_dir() or next(path.glob("*.safetensors"), None) is not None:
        return None
    files = [file for file in sorted(path.glob(f"*{SUFFIX}")) if "mmproj" not in file.name]
    firsts = {_name(file): file for file in reversed(files)}
    if len(firsts) > 1:
        raise InputError(
            f"{path} holds {len(firsts)} models", why=", ".join(sorted(firsts)), fix=f"name one: {files[0]}"
        )
    return next(iter(firsts.values()), None)


def gguf_model(path: Path) -> tuple[str, Model]:
    """The model in a GGUF file, as if it stood in the catalogue. InputError for a file that is not a whole one.

    What a token leaves in the cache is an upper bound: sliding windows and layers without attention take less.
    """
    parts = _parts(path)
    headers = [_header(part) for part in parts]
    metadata, parameters = headers[0].metadata, sum(header.parameters for header in headers)
    size = sum(part.stat().st_size for part in parts)
    if not parameters:
        raise InputError(f"{path} holds no weights", fix="name the file of the model")
    bits = size * 8 / parameters
    checkpoint = Checkpoint(
        repo=str(parts[0].resolve()),
        precision=PRECISION,
        size=size,
        basis=f"measured: {bits:.2f} bits a weight in {len(parts)} {'file' if len(parts) == 1 else 'files'}",
        kv={ANY: "f16"},
        runs_on={ANY: ("llama_cpp",)},
        rough=bits < ROUGH_BITS,
        source=str(path),
    )
    model = Model(
        title=_name(path),
        released="unknown",
        type=str(metadata.get("general.architecture", "unknown")),
        shape=_shape(path, metadata, parameters),
        kv=_cache(path, metadata),
        source=str(path),
        checkpoints=(checkpoint,),
    )
    return _name(path), model


def _name(path: Path) -> str:
    part = _PART.fullmatch(path.name)
    return part["name"] if part is not None else path.stem


def _parts(path: Path) -> list[Path]:
    """All files of a model. InputError when one is not there."""
    part = _PART.fullmatch(path.name)
    count = int(part["count"]) if part is not None else 1
    names = [path.name] if part is None else [f"{part['name']}-{n:05}-of-{count:05}.gguf" for n in range(1, count + 1)]
    files = [path.with_name(name) for name in names]
    missing = [file.name for file in files if not file.is_file()]
    if missing and len(files) == 1:
        raise InputError(f"there is no file {path}", fix="name a GGUF file, or the folder that holds it")
    if missing:
        raise InputError(
            f"the checkpoint in {path.parent} is incomplete: {missing[0]} is missing",
            why=f"{len(missing)} of {len(files)} files are",
            fix="let the download finish, then try again",
        )
    return files


def _header(path: Path) -> _Header:
    try:
        with path.open("rb") as stream:
            return _read(_Reader(stream, path))
    except OSError as error:
        raise InputError("the checkpoint cannot be read", where=Location(str(path)), why=str(error)) from None


def _read(reader: "_Reader") -> _Header:
    """InputError for a file that is no GGUF or ends before its last tensor begins."""
    if reader.take(4) != b"GGUF":
        raise reader.broken("it does not begin with GGUF")
    version = reader.number("I")
    if version not in _VERSIONS:
        raise reader.broken(f"it is written in version {version}; versions 2 and 3 are read")
    tensors, entries = reader.number("Q"), reader.number("Q")
    metadata = {reader.text(): reader.value(reader.number("I")) for _ in range(entries)}
    parameters, last = 0, 0
    for _ in range(tensors):
        reader.text()
        dimensions = reader.number("I")
        if dimensions > _MOST_DIMENSIONS:
            raise reader.broken(f"a tensor has {dimensions} dimensions")
        parameters += math.prod(reader.number("Q") for _ in range(dimensions))
        reader.number("I")
        last = max(last, reader.number("Q"))
    if tensors and reader.stream.tell() + last >= reader.size:
        raise InputError(
            f"the checkpoint {reader.path} is incomplete",
            why=f"its last tensor begins {last:,} bytes after the header, and the file has {reader.size:,} bytes",
            fix="let the download finish, then try again",
        )
    return _Header(metadata, parameters)


class _Reader:
    """Reads numbers and texts from a file's header; InputError where it ends too early."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self.stream = stream
        self.path = path
        self.size = os.fstat(stream.fileno()).st_size

    def broken(self, why: str) -> InputError:
        return InputError(
            "the file is no GGUF that can be read", where=Location(str(self.path)), why=why, fix="download it again"
        )

    def take(self, count: int) -> bytes:
        """So many bytes, read only where the file has them."""
        if count > self.size - self.stream.tell():
            raise self.broken("it ends within its header")
        return self.stream.read(count)

    def skip(self, count: int) -> None:
        if count > self.size - self.stream.tell():
            raise self.broken("it ends within its header")
        self.stream.seek(count, os.SEEK_CUR)

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def text(self) -> str:
        return self.take(self.number("Q")).decode(errors="replace")

    def value(self, kind: int) -> Any:
        """A value of the metadata; None for a long array, or one of texts."""
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            return self._array(self.number("I"), self.number("Q"))
        if kind not in _SCALARS:
            raise self.broken(f"it holds a value of the unknown kind {kind}")
        return self.number(_SCALARS[kind])

    def _array(self, kind: int, count: int) -> list[Any] | None:
        if kind == _STRING:
            for _ in range(count):
                self.skip(self.number("Q"))
            return None
        if kind not in _SCALARS:
            raise self.broken(f"it holds an array of the unknown kind {kind}")
        if count > _LONGEST_KEPT:
            self.skip(count * struct.calcsize(f"<{_SCALARS[kind]}"))
            return None
        return [self.number(_SCALARS[kind]) for _ in range(count)]


def _shape(path: Path, metadata: dict[str, Any], parameters: int) -> Shape:
    """The dimensions; all parameters are taken for active."""
    return Shape(
        parameters=parameters,
        active=parameters,
        layers=_number(path, metadata, "block_count"),
        hidden=_number(path, metadata, "embedding_length"),
        heads=_number(path, metadata, "attention.head_count"),
        context=_number(path, metadata, "context_length"),
    )


def _cache(path: Path, metadata: dict[str, Any]) -> Cache:
    """What a token leaves in llama.cpp's cache.

    With latent attention that is the latent vector in each layer but the drafting ones, and the vectors of an indexer
    where there is one.
    """
    layers, heads = _number(path, metadata, "block_count"), _number(path, metadata, "attention.head_count")
    latent = _found(metadata, "attention.kv_lora_rank")
    if latent and _found(metadata, "attention.key_length_mla"):
        attending = _attending(metadata, layers - (_found(metadata, "nextn_predict_layers") or 0))
        return Cache(
            layers=len(attending),
            latent=latent,
            rope=_found(metadata, "rope.dimension_count") or 0,
            indexer=_found(metadata, "attention.indexer.key_length") or 0,
            indexer_vectors=3 if _found(metadata, "attention.indexer.kpool") else 1,
            indexer_layers=sum(_has_indexer(path, metadata, layer) for layer in attending),
            sparse_top=_found(metadata, "attention.indexer.top_k"),
        )
    size = _number(path, metadata, "embedding_length") // heads
    key = _found(metadata, "attention.key_length") or size
    value = _found(metadata, "attention.value_length") or size
    return Cache(
        layers=layers, heads=_found(metadata, "attention.head_count_kv") or heads, head_size=-(-(key + value) // 2)
    )


def _attending(metadata: dict[str, Any], layers: int) -> list[int]:
    """The layers with attention: those without tell no heads of keys."""
    heads = metadata.get(f"{metadata.get('general.architecture')}.attention.head_count_kv")
    return [layer for layer in range(layers) if not isinstance(heads, list) or any(heads[layer : layer + 1])]


def _has_indexer(path: Path, metadata: dict[str, Any], layer: int) -> bool:
    """Whether a layer has an indexer of its own, as llama.cpp takes it: by the header, else by GLM-5.2's pattern.

    All have one in older models of that architecture, which are known by their shorter context (glm-dsa.cpp).
    """
    architecture = metadata.get("general.architecture")
    told = metadata.get(f"{architecture}.attention.indexer.types")
    if isinstance(told, list):
        return any(told[layer : layer + 1])
    if architecture != "glm-dsa" or _number(path, metadata, "context_length") < _LONG_CONTEXT:
        return True
    return layer < _FIRST_INDEXERS or layer % 4 == _FIRST_INDEXERS


def _number(path: Path, metadata: dict[str, Any], name: str) -> int:
    value = _found(metadata, name)
    if value is None or value < 1:
        raise InputError(f"the header tells no {name}", where=Location(str(path)), fix="name the file of a model")
    return value


def _found(metadata: dict[str, Any], name: str) -> int | None:
    """A number of the model's architecture; the largest one where it is told for each layer."""
    value = metadata.get(f"{metadata.get('general.architecture')}.{name}")
    found = max(value, default=None) if isinstance(value, list) else value
    return found if isinstance(found, int) else None
