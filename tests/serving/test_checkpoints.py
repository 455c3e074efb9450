"""That a folder of one's own is planned like a known model, and refused when it is no whole checkpoint."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmmigrate.errors import InputError, ServingError
from llmmigrate.serving.accelerators import Device
from llmmigrate.serving.catalogue import models
from llmmigrate.serving.checkpoints import folder_model
from llmmigrate.serving.downloads import cache_folder, check_room, missing_bytes
from llmmigrate.serving.fit import Wish, choices
from llmmigrate.serving.inventory import Inventory
from llmmigrate.serving.pool import found_pools, named_pool

CONFIG: dict[str, Any] = {
    "model_type": "glm_moe_dsa", "num_hidden_layers": 4, "hidden_size": 64, "num_attention_heads": 4,
    "max_position_embeddings": 4096, "kv_lora_rank": 32, "qk_rope_head_dim": 16, "index_head_dim": 32, "index_topk": 32,
}  # fmt: skip
HOST = Device(platform="cpu", index=0, name="Xeon", memory_bytes=16 << 30, free_bytes=12 << 30, unified_memory=True)
CPU = found_pools(Inventory(devices=(HOST,)))[0]


def checkpoint(folder: Path, config: dict[str, Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG if config is None else config))
    (folder / "model.safetensors").write_bytes(b"x" * 5000)
    (folder / "tokenizer.json").write_text("{}")
    return folder


def test_a_folder_is_planned_by_its_own_shape(tmp_path: Path) -> None:
    name, model = folder_model(checkpoint(tmp_path / "mine"), CPU)
    choice, other = choices(name, model, CPU, Wish())
    assert other.engine == "vllm"
    assert (name, choice.engine, choice.fits, choice.context) == ("mine", "transformers", True, 4096)
    assert choice.kv_token_bytes == 4 * (2 * (32 + 16) + 36)
    assert choice.weights_bytes == 5000


def test_a_folder_on_cards_is_for_the_engines_of_cards(tmp_path: Path) -> None:
    pool = named_pool("1xH100")
    found = choices(*folder_model(checkpoint(tmp_path / "mine"), pool), pool, Wish())
    assert [choice.engine for choice in found] == ["vllm", "sglang", "transformers"]


def test_keys_and_values_of_other_models_are_read_too(tmp_path: Path) -> None:
    config = {name: value for name, value in CONFIG.items() if not name.startswith(("kv_", "qk_", "index_"))}
    _, model = folder_model(checkpoint(tmp_path / "mine", {**config, "num_key_value_heads": 2, "head_dim": 8}), CPU)
    assert (model.kv.heads, model.kv.head_size, model.kv.latent) == (2, 8, 0)


def test_more_than_the_host_holds_does_not_fit(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "mine")
    with (folder / "model.safetensors").open("r+b") as stream:
        stream.truncate(64 << 30)  # a hole: it takes no room on the disk
    found = choices(*folder_model(folder, CPU), CPU, Wish())
    assert {choice.verdict for choice in found} == {"weights"}


SPOILED = {
    "no config": ("config.json", None),
    "config is no JSON": ("config.json", "{"),
    "config is a list": ("config.json", "[]"),
    "config has no layers": ("config.json", '{"model_type": "x"}'),
    "no weights": ("model.safetensors", None),
    "empty weights": ("model.safetensors", ""),
    "a missing shard": ("model.safetensors.index.json", '{"weight_map": {"a": "model-00002.safetensors"}}'),
    "a broken index": ("model.safetensors.index.json", '{"weight_map": 3}'),
    "no tokenizer": ("tokenizer.json", None),
}
"""One file of the checkpoint, and what is in it instead; None: it is not there."""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no config", "has no config.json"),
        ("config is no JSON", "cannot be read"),
        ("config is a list", "is no mapping"),
        ("config has no layers", "has no num_hidden_layers"),
        ("no weights", "holds no safetensors"),
        ("empty weights", r"incomplete: model\.safetensors is missing or empty"),
        ("a missing shard", r"incomplete: model-00002\.safetensors is missing or empty"),
        ("a broken index", "index of weights cannot be read"),
        ("no tokenizer", "has no tokenizer"),
    ],
)
def test_a_folder_that_is_no_whole_checkpoint_is_refused(name: str, words: str, tmp_path: Path) -> None:
    folder, (file, text) = checkpoint(tmp_path / "mine"), SPOILED[name]
    (folder / file).unlink(missing_ok=True)
    if text is not None:
        (folder / file).write_text(text)
    with pytest.raises(InputError, match=words) as failure:
        folder_model(folder, CPU)
    assert failure.value.fix or failure.value.why


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        folder_model(tmp_path / "none", CPU)


def test_a_download_that_does_not_fit_is_refused_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmmigrate.serving.downloads.shutil.disk_usage", lambda _: SimpleNamespace(free=500 * 10**9))
    with pytest.raises(ServingError, match="does not fit on the disk") as failure:
        check_room(models()["glm-5"].checkpoints[0], tmp_path / "not" / "there")
    assert failure.value.why == f"756.0 GB are missing and {tmp_path} has 500.0 GB free"


def test_what_is_downloaded_already_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = models()["glm-4-9b"].checkpoints[0]
    blobs = tmp_path / "models--zai-org--GLM-4-9B-0414" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "a").write_bytes(b"x" * 1000)
    assert missing_bytes(wanted, tmp_path) == wanted.size - 1000
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert cache_folder() == tmp_path / "hub"
