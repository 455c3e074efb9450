"""A checkpoint of one's own, in a folder: its shape and size are read from it, and that it is complete."""

import json
from pathlib import Path
from typing import Any, Final

from llmmigrate.errors import InputError, Location
from llmmigrate.serving.catalogue import Cache, Checkpoint, Model, Shape
from llmmigrate.serving.gguf import SUFFIX, gguf_file, gguf_model
from llmmigrate.serving.pool import CPU, Pool

INDEX: Final = "model.safetensors.index.json"
_TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")
_BITS: Final = {"fp8": "fp8", "compressed-tensors": "w4a8", "gptq": "int4", "awq": "int4", "bitsandbytes": "int8"}


def is_path(name: str) -> bool:
    """Whether a model is named by a path rather than by a name."""
    return name.startswith((".", "/", "~")) or name.endswith(SUFFIX) or Path(name).is_dir()


def own_model(path: Path, pool: Pool) -> tuple[str, Model]:
    """The model in a GGUF file or in a folder, as if it stood in the catalogue. InputError where it is not whole."""
    file = gguf_file(path)
    return gguf_model(file) if file is not None else folder_model(path, pool)


def folder_model(path: Path, pool: Pool) -> tuple[str, Model]:
    """The model in a folder, as if it stood in the catalogue. InputError for a folder that is no whole checkpoint."""
    if not path.is_dir():
        raise InputError(
            f"there is no folder {path}",
            fix="name a GGUF file, or a folder that holds config.json and safetensors files",
        )
    config = _config(path)
    size = _complete_size(path)
    precision = _precision(config)
    shape = _shape(path, config, size, 1 if precision == "fp8" else 2)
    engines = ("transformers", "vllm") if pool.platform == CPU else ("vllm", "sglang", "transformers")
    checkpoint = Checkpoint(
        repo=str(path.resolve()),
        precision=precision,
        size=size,
        basis="measured: the files in the folder",
        kv={"any": "bf16"},
        runs_on={pool.architecture or "any": engines},
        source=str(path),
    )
    model = Model(
        title=path.resolve().name,
        released="unknown",
        type=str(config.get("model_type", "unknown")),
        shape=shape,
        kv=_cache(config),
        source=f"{path / 'config.json'}",
        checkpoints=(checkpoint,),
    )
    return path.resolve().name, model


def _config(path: Path) -> dict[str, Any]:
    where = Location(str(path / "config.json"))
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("the checkpoint has no config.json", where=where, fix="download it as a whole") from None
    except (OSError, ValueError) as error:
        raise InputError("the checkpoint's config.json cannot be read", where=where, why=str(error)) from None
    if not isinstance(config, dict):
        raise InputError("the checkpoint's config.json is no mapping", where=where, fix="download it again")
    text = config.get("text_config")
    return {**config, **text} if isinstance(text, dict) else config


def _complete_size(path: Path) -> int:
    """Bytes of all weights; InputError when a file that the index names is missing or empty, or the tokenizer is."""
    wanted = _indexed(path) or [file.name for file in sorted(path.glob("*.safetensors"))]
    if not wanted:
        raise InputError(f"{path} holds no safetensors files", fix="download the whole checkpoint")
    missing = [name for name in wanted if not (path / name).is_file() or not (path / name).stat().st_size]
    if missing:
        raise InputError(
            f"the checkpoint in {path} is incomplete: {missing[0]} is missing or empty",
            why=f"{len(missing)} of {len(wanted)} weight files are",
            fix="let the download finish, then try again",
        )
    if not any((path / name).is_file() for name in _TOKENIZERS):
        raise InputError(f"the checkpoint in {path} has no tokenizer", fix=f"add one of {', '.join(_TOKENIZERS)}")
    return sum((path / name).stat().st_size for name in wanted)


def _indexed(path: Path) -> list[str]:
    """The weight files that the index names; none where there is no index."""
    try:
        index = json.loads((path / INDEX).read_text(encoding="utf-8"))
        return sorted({str(name) for name in index["weight_map"].values()})
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise InputError(
            "the index of weights cannot be read", where=Location(str(path / INDEX)), why=str(error)
        ) from None


def _precision(config: dict[str, Any]) -> str:
    method = (config.get("quantization_config") or {}).get("quant_method")
    return _BITS.get(str(method), str(method)) if method else "bf16"


def _shape(path: Path, config: dict[str, Any], size: int, width: int) -> Shape:
    """The dimensions; parameters from the size of the weights, all of them taken for active."""
    return Shape(
        parameters=size // width,
        active=size // width,
        layers=_number(path, config, "num_hidden_layers"),
        hidden=_number(path, config, "hidden_size"),
        heads=_number(path, config, "num_attention_heads"),
        context=_number(path, config, "max_position_embeddings"),
    )


def _number(path: Path, config: dict[str, Any], name: str) -> int:
    value = config.get(name)
    if not isinstance(value, int) or value < 1:
        raise InputError(f"config.json has no {name}", where=Location(str(path / "config.json")), fix="plan needs it")
    return value


def _cache(config: dict[str, Any]) -> Cache:
    """What a token leaves in the cache; latent attention is known by `kv_lora_rank`."""
    layers, heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
    if config.get("kv_lora_rank"):
        return Cache(
            layers=layers,
            latent=int(config["kv_lora_rank"]),
            rope=int(config.get("qk_rope_head_dim") or 0),
            indexer=int(config.get("index_head_dim") or 0),
            sparse_top=int(config["index_topk"]) if config.get("index_topk") else None,
        )
    size = int(config.get("head_dim") or config["hidden_size"] // heads)
    return Cache(layers=layers, heads=int(config.get("num_key_value_heads") or heads), head_size=size)
