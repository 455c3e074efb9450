"""That a GGUF file is planned by what its header tells, and refused when it is not a whole one."""

import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from tests.serving import tiny_gguf, tiny_glm_dsa

from llmmigrate.errors import InputError
from llmmigrate.serving.accelerators import Device
from llmmigrate.serving.catalogue import Model
from llmmigrate.serving.checkpoints import is_path, own_model
from llmmigrate.serving.downloads import missing_bytes
from llmmigrate.serving.fit import Wish, choices
from llmmigrate.serving.inventory import Inventory
from llmmigrate.serving.planning import Place, decide, launch_for
from llmmigrate.serving.pool import found_pools, named_pool

HOST = Device(platform="cpu", index=0, name="Xeon", memory_bytes=16 << 30, free_bytes=12 << 30, unified_memory=True)
CPU = found_pools(Inventory(devices=(HOST,)))[0]
LATENT: dict[str, Any] = {
    "attention.kv_lora_rank": 512, "attention.key_length": 576, "attention.value_length": 512,
    "attention.key_length_mla": 192, "attention.value_length_mla": 256, "rope.dimension_count": 64,
    "attention.indexer.key_length": 128, "attention.indexer.top_k": 2048, "attention.head_count_kv": 1,
}  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    file = tmp_path / "tiny-glm4.gguf"
    tiny_gguf.write(file)
    return file


def write(file: Path, numbers: dict[str, Any], *, kind: str = "F16") -> Path:
    """A GGUF file of 8 layers with these numbers of its architecture, and a million weights of this kind."""
    writer = gguf.GGUFWriter(file, "glm-dsa")
    writer.add_block_count(8)
    writer.add_context_length(1 << 17)
    writer.add_embedding_length(6144)
    writer.add_head_count(64)
    for name, value in numbers.items():
        add = writer.add_array if isinstance(value, list) else writer.add_uint32
        add(f"glm-dsa.{name}", value)
    values, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    blocks = np.zeros((1024, 1024 // values * size), dtype=np.uint8)
    writer.add_tensor("token_embd.weight", blocks, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def model_of(path: Path) -> Model:
    return own_model(path, CPU)[1]


def test_a_file_is_planned_by_its_own_shape(tiny: Path) -> None:
    name, model = own_model(tiny, CPU)
    assert (name, model.type, model.shape.layers, model.shape.hidden, model.shape.context) == (
        "tiny-glm4", "glm4", 2, 64, 4096,
    )  # fmt: skip
    assert model.shape.parameters == sum(np.prod(shape) for shape in tiny_gguf.tensors(263).values())
    (choice,) = choices(name, model, CPU, Wish())
    assert (choice.engine, choice.fits, choice.weights_bytes) == ("llama_cpp", True, tiny.stat().st_size)
    assert choice.kv_token_bytes == 2 * 2 * (2 * 16) * 2  # keys and values, layers, heads of 16, bytes
    assert missing_bytes(choice.checkpoint, tiny.parent) == 0


def test_it_is_launched_by_its_absolute_path_with_cache_for_every_request(tiny: Path) -> None:
    decision = decide(str(tiny), [CPU], Wish(context=1024))
    assert decision.chosen is not None
    launch = launch_for(decision.chosen, decision.model, Place(host="127.0.0.1", port=8000))
    words = " ".join(launch.arguments)
    assert f"-m {tiny} " in words
    assert "--ctx-size 4096 --parallel 4 " in words
    assert decision.chosen.kv_tokens == 4096


def test_on_cards_its_layers_are_shared_out(tiny: Path) -> None:
    (choice,) = choices(*own_model(tiny, named_pool("2xH100")), named_pool("2xH100"), Wish())
    assert (choice.tensor, choice.weights_bytes) == (2, -(-tiny.stat().st_size // 2))


def test_latent_attention_keeps_the_latent_vector_and_the_key_of_the_indexer(tmp_path: Path) -> None:
    model = model_of(write(tmp_path / "a.gguf", LATENT))
    (choice,) = choices("a", model, CPU, Wish())
    assert choice.kv_token_bytes == 8 * (2 * (512 + 64) + 2 * 128)
    assert model.kv.sparse_top == 2048


MIB = 1 << 20
MEASURED: dict[str, tuple[dict[str, Any], int]] = {
    "four layers": ({}, 18 * MIB + 4 * MIB),
    "four layers and one that drafts": ({"drafts": 1}, 18 * MIB + 4 * MIB),
    "eight layers, four with an indexer": ({"indexers": (1, 1, 1, 0, 0, 0, 1, 0)}, 36 * MIB + 4 * MIB),
    "eight layers of a million tokens": ({"indexers": (1,) * 8, "context": 1 << 20}, 36 * MIB + 4 * MIB),
}
"""What llama-server 0.5.0-dev (0c1e570) set aside for 4,096 tokens: latent vectors and indexer."""


@pytest.mark.parametrize("name", MEASURED)
def test_the_cache_is_as_large_as_llama_server_makes_it(name: str, tmp_path: Path) -> None:
    options, size = MEASURED[name]
    tiny_glm_dsa.write(tmp_path / "a.gguf", **options)
    (choice,) = choices("a", model_of(tmp_path / "a.gguf"), CPU, Wish(context=4096))
    assert choice.kv_token_bytes * 4096 == size


def test_layers_without_attention_keep_nothing_and_pooled_keys_take_three_vectors(tmp_path: Path) -> None:
    told = LATENT | {"attention.head_count_kv": [0, 0, 0, 1, 0, 0, 0, 1], "attention.indexer.kpool": 4}
    model = model_of(write(tmp_path / "a.gguf", told))
    (choice,) = choices("a", model, CPU, Wish())
    assert choice.kv_token_bytes == 2 * (2 * (512 + 64) + 3 * 2 * 128)


def test_of_layers_shared_out_the_card_with_the_most_decides(tmp_path: Path) -> None:
    pool = named_pool("3xH100")
    path = write(tmp_path / "a.gguf", {"attention.head_count_kv": 8, "attention.key_length": 128,
                                       "attention.value_length": 128})  # fmt: skip
    (choice,) = choices("a", own_model(path, pool)[1], pool, Wish())
    assert choice.kv_token_bytes == 3 * 2 * 8 * 128 * 2  # 3 of 8 layers: keys and values, heads, their size, bytes
    assert choice.weights_bytes == -(-path.stat().st_size * 3 // 8)


def test_a_number_told_for_each_layer_counts_by_its_largest(tmp_path: Path) -> None:
    model = model_of(write(tmp_path / "a.gguf", {"attention.head_count_kv": [8, 0, 8, 0, 8, 0, 8, 0]}))
    assert (model.kv.heads, model.kv.head_size) == (8, 96)


@pytest.mark.parametrize(
    ("kind", "bits", "rough"), [("F16", "16.0", False), ("Q4_K", "4.5", False), ("Q2_K", "2.6", True)]
)
def test_below_three_bits_a_weight_a_file_is_rough(kind: str, bits: str, rough: bool, tmp_path: Path) -> None:
    model = model_of(write(tmp_path / "a.gguf", {}, kind=kind))
    (checkpoint,) = model.checkpoints
    assert checkpoint.basis.startswith(f"measured: {bits}")
    assert (checkpoint.rough, model.shape.parameters) == (rough, 1 << 20)


def test_the_only_model_in_a_folder_is_taken_and_its_projector_is_not(tiny: Path) -> None:
    (tiny.parent / "mmproj-tiny-glm4.gguf").write_bytes(b"GGUF")
    name, model = own_model(tiny.parent, CPU)
    assert (name, model.checkpoints[0].repo) == ("tiny-glm4", str(tiny))
    (tiny.parent / "other.gguf").write_bytes(tiny.read_bytes())
    with pytest.raises(InputError, match="holds 2 models") as failure:
        own_model(tiny.parent, CPU)
    assert failure.value.why == "other, tiny-glm4"


def test_a_model_in_parts_is_the_sum_of_them(tiny: Path, tmp_path: Path) -> None:
    parts = [tmp_path / f"big-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    for part in parts:
        part.write_bytes(tiny.read_bytes())
    tiny.unlink()
    name, model = own_model(tmp_path, CPU)
    assert (name, model.checkpoints[0].size) == ("big", sum(part.stat().st_size for part in parts))
    assert model.checkpoints[0].repo == str(parts[0])
    parts[1].unlink()
    with pytest.raises(InputError, match=r"incomplete: big-00002-of-00003\.gguf is missing"):
        own_model(parts[0], CPU)


def test_a_file_is_known_by_its_ending() -> None:
    assert is_path("models/tiny.gguf")
    assert not is_path("unsloth/GLM-5.1-GGUF")
    with pytest.raises(InputError, match=r"there is no file models/tiny\.gguf"):
        own_model(Path("models/tiny.gguf"), CPU)


HEADER = b"GGUF" + struct.pack("<I", 3)
SPOILED = {
    "nothing in it": (b"", "it ends within its header"),
    "another file": (b"PK\x03\x04" + b"x" * 64, "it does not begin with GGUF"),
    "another version": (b"GGUF" + struct.pack(">I", 3), "it is written in version 50331648; versions 2 and 3 are read"),
    "too many entries": (HEADER + struct.pack("<QQ", 0, 1 << 60), "it ends within its header"),
    "a text that never ends": (HEADER + struct.pack("<QQQ", 0, 1, 1 << 62), "it ends within its header"),
    "an unknown kind": (HEADER + struct.pack("<QQQ1sI", 0, 1, 1, b"a", 99), "a value of the unknown kind 99"),
    "an array of arrays": (
        HEADER + struct.pack("<QQQ1sIIQ", 0, 1, 1, b"a", 9, 9, 1),
        "an array of the unknown kind 9",
    ),
    "a long array": (HEADER + struct.pack("<QQQ1sIIQ", 0, 1, 1, b"a", 9, 4, 1 << 60), "it ends within its header"),
    "five dimensions": (HEADER + struct.pack("<QQQ1sI", 1, 0, 1, b"a", 5), "a tensor has 5 dimensions"),
}
"""What is in the file, and what is said about it."""


@pytest.mark.parametrize("name", SPOILED)
def test_a_file_that_is_no_gguf_is_refused(name: str, tmp_path: Path) -> None:
    content, why = SPOILED[name]
    (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(InputError, match="no GGUF that can be read") as failure:
        own_model(tmp_path / "bad.gguf", CPU)
    assert why in str(failure.value.why)


def test_a_download_that_stopped_is_refused_wherever_it_stopped(tiny: Path) -> None:
    whole = tiny.read_bytes()
    for size in range(0, len(whole) - 40_000, 5_000):  # the last tensor takes 32 KiB
        tiny.write_bytes(whole[:size])
        with pytest.raises(InputError):
            own_model(tiny, CPU)


def test_a_header_without_a_shape_is_refused(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "glm4")
    writer.add_tensor("a", np.zeros(4, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InputError, match="tells no block_count"):
        own_model(tmp_path / "a.gguf", CPU)
