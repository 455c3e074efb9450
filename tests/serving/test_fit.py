"""That plans agree with what was published about real machines, and that the arithmetic is the model's own."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llmmigrate.errors import UnknownNameError, UsageError
from llmmigrate.serving.accelerators import MIB, Device
from llmmigrate.serving.catalogue import find_model, hardware, hardware_called, models
from llmmigrate.serving.engines import load_engine
from llmmigrate.serving.fit import SLACK_BYTES, Choice, Wish, choices, memory_share
from llmmigrate.serving.inventory import Inventory
from llmmigrate.serving.memory import context_bytes, kv_bytes_per_token, kv_bytes_read
from llmmigrate.serving.planning import Place, decide, launch_for, machines, plan, siblings
from llmmigrate.serving.pool import found_pools, named_pool

GLM5 = models()["glm-5"]
HOST = Device(platform="cpu", index=0, name="Xeon", memory_bytes=256 << 30, free_bytes=240 << 30, unified_memory=True)


def weighed(model: str, on: str, precision: str, engine: str, **wish: object) -> Choice:
    """The choice of one checkpoint and engine on named hardware."""
    name, known = find_model(model)
    found = choices(name, known, named_pool(on), Wish(precision=precision, engine=engine, **wish))  # type: ignore[arg-type]
    return found[0]


@pytest.mark.parametrize(
    ("precision", "draft", "size"),
    [("bf16", False, 100_152), ("bf16", True, 101_436), ("fp8", False, 61_464), ("fp8", True, 62_252)],
)
def test_a_token_of_glm_5_takes_this_much_cache(precision: str, draft: bool, size: int) -> None:
    assert kv_bytes_per_token(GLM5.kv, precision, draft=draft, ranks=8) == size  # type: ignore[arg-type]


def test_a_latent_cache_is_whole_on_every_rank_and_keys_and_values_are_shared() -> None:
    assert kv_bytes_per_token(GLM5.kv, "bf16", ranks=1) == kv_bytes_per_token(GLM5.kv, "bf16", ranks=16)
    air = models()["glm-4.5-air"].kv
    sizes = [kv_bytes_per_token(air, "bf16", ranks=ranks) for ranks in (1, 2, 8, 16)]
    assert sizes == [188_416, 94_208, 23_552, 23_552]


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("glm-5.1", 78 * 2 * (512 + 64) + 78 * 2 * 128),
        ("glm-5.2", 78 * 2 * (512 + 64) + 21 * 2 * 128),
        ("glm-5.3-flash", 11 * 2 * 512 + 11 * 3 * 2 * 128),
        ("glm-4.7-flash", 47 * 2 * (512 + 64)),
    ],
)
def test_llama_cpp_keeps_the_indexers_vectors_in_two_bytes_a_value(model: str, size: int) -> None:
    known = models()[model]
    formats = {item.kv_on("cpu") for item in known.checkpoints if "llama_cpp" in item.engines_on("cpu")}
    assert [kv_bytes_per_token(known.kv, precision) for precision in formats] == [size]


@pytest.mark.parametrize(("model", "bytes_each"), [("glm-5.1", 4096), ("glm-4.7-flash", 1024), ("glm-4.5-air", 1024)])
def test_the_workspace_of_llama_cpp_grows_with_the_context_as_measured(model: str, bytes_each: int) -> None:
    assert context_bytes(models()[model].kv, load_engine("llama.cpp").MICRO_BATCH) == bytes_each


def test_cache_and_workspace_of_llama_cpp_fit_into_what_is_left() -> None:
    choice = weighed("glm-5.2", "8xA100", "UD-Q4_K_M", "llama_cpp")
    used = choice.kv_tokens * choice.kv_token_bytes + choice.context * choice.context_token_bytes
    assert choice.fits
    assert used <= choice.usable_bytes - choice.weights_bytes
    assert (choice.kv_token_bytes, choice.context_token_bytes) == (10 * 1152 + 3 * 256, 4096)
    tight = weighed("glm-5.2", "8xA100", "UD-Q4_K_M", "llama_cpp", context=1 << 20)
    assert tight.fits is (tight.missing_bytes == 0)


def test_sparse_attention_reads_its_top_tokens_and_all_indexer_keys() -> None:
    assert kv_bytes_read(GLM5.kv, "bf16", 1000) == 1000 * 100_152
    assert kv_bytes_read(GLM5.kv, "bf16", 100_000) == 2048 * 78 * 1152 + 100_000 * 78 * 132


@pytest.mark.parametrize(
    ("model", "on", "precision", "engine", "fits"),
    [
        ("glm-5", "8xH200", "fp8", "vllm", True),
        ("glm-5", "8xH200", "fp8", "sglang", True),
        ("glm-5", "8xH20", "fp8", "vllm", True),
        ("glm-5", "8xB200", "fp8", "vllm", True),
        ("glm-5", "4xB200", "nvfp4", "sglang", True),
        ("glm-5", "8xH100", "fp8", "vllm", False),
        ("glm-5", "16xH100", "fp8", "sglang", True),
        ("glm-5", "8xH200", "bf16", "sglang", False),
        ("glm-5", "16xH200", "bf16", "sglang", True),
        ("glm-5", "16xB200", "bf16", "sglang", True),
        ("glm-5", "32xH100", "bf16", "sglang", True),
        ("glm-5", "8xascend-a2", "w4a8", "vllm_ascend", True),
        ("glm-5", "16xascend-a3", "w8a8", "vllm_ascend", True),
        ("glm-5", "8xmi355x", "bf16", "sglang", True),
        ("glm-5.2", "8xmi300x", "fp8", "sglang", True),
        ("glm-5.3", "8xmi300x", "fp8", "vllm", True),
        ("glm-4.7-flash", "1xH100", "bf16", "vllm", True),
        ("glm-4.5-air", "1xH100", "fp8", "vllm", False),
        ("glm-4.5-air", "1xH200", "fp8", "vllm", True),
        ("glm-4.5-air", "4xH100", "fp8", "vllm", True),
    ],
)
def test_what_was_published_to_fit_fits(model: str, on: str, precision: str, engine: str, fits: bool) -> None:
    assert weighed(model, on, precision, engine).fits is fits


def test_the_cache_of_glm_5_3_on_eight_h20_is_as_published() -> None:
    small = weighed("glm-5.3", "8xH20", "w4a8", "vllm")
    assert abs(small.kv_tokens / 1_260_000 - 1) < 0.03
    large = weighed("glm-5.3", "8xH20", "fp8", "vllm")
    assert abs(large.kv_tokens / 608_000 - 1) < 0.06


def test_eight_b200_hold_the_whole_million_of_glm_5_3() -> None:
    assert weighed("glm-5.3", "8xB200", "fp8", "vllm").context == 1_048_576


def test_glm_5_2_reaches_about_half_a_million_on_eight_h200_with_sglang() -> None:
    assert 400_000 < weighed("glm-5.2", "8xH200", "fp8", "sglang").kv_tokens < 550_000


def test_one_ascend_a2_holds_32k() -> None:
    assert weighed("glm-5", "8xascend-a2", "w4a8", "vllm_ascend", context=32_768).fits
    assert weighed("glm-5", "8xascend-a2", "w4a8", "vllm_ascend", context=131_072).verdict == "context"


@pytest.mark.parametrize("on", ["8xA100", "2xa100", "l40s", "gb10"])
def test_cards_without_a_sparse_backend_are_refused_with_the_reason(on: str) -> None:
    found = choices("glm-5", GLM5, named_pool(on), Wish())
    assert {choice.verdict for choice in found} == {"refused"}
    assert "sparse-attention" in (found[0].why or "")
    assert found[0].refusal is not None
    assert "https://github.com/vllm-project/vllm/issues/35021" in found[0].refusal.links


def test_cambricon_is_refused_for_want_of_a_recipe() -> None:
    found = choices("glm-5", GLM5, named_pool("8xmlu590"), Wish())
    assert {choice.verdict for choice in found} == {"refused"}
    assert "no GLM-5 recipe" in (found[0].why or "")


def test_force_lifts_a_refusal_but_makes_no_memory() -> None:
    assert choices("glm-5", GLM5, named_pool("16xA100"), Wish(force=True))[0].fits
    assert choices("glm-5", GLM5, named_pool("2xA100"), Wish(force=True))[0].verdict == "weights"


def test_the_nearest_sibling_for_one_card_is_a_whole_one_and_not_a_rough_giant() -> None:
    for on in ("1xH100", "1xH200"):
        wish = Wish()
        decision = decide("glm-5", [named_pool(on)], wish)
        assert decision.chosen is None
        assert siblings(decision, wish)[0].model == "glm-4.7-flash"


def test_the_nearest_machines_are_of_the_same_kind() -> None:
    wish = Wish()
    found = machines(decide("glm-5", [named_pool("8xH100")], wish), wish)
    assert [(choice.pool.name, choice.pool.count) for choice in found[:3]] == [("h200", 8), ("h20", 8), ("h100", 16)]


def test_spare_cards_become_replicas() -> None:
    choice = weighed("glm-4.7-flash", "8xH100", "bf16", "vllm")
    assert (choice.tensor, choice.data) == (1, 8)
    assert choice.sequences(choice.context) == 8 * (choice.kv_tokens // choice.context)


def test_memory_that_others_use_is_not_planned_with() -> None:
    card = Device(
        platform="nvidia", index=0, name="NVIDIA H100 80GB HBM3", memory_bytes=81_559 * MIB, architecture="sm90"
    )
    for free, fits in ((81_000, True), (40_000, False)):
        device = Device(**{name: getattr(card, name) for name in card.__struct_fields__} | {"free_bytes": free * MIB})
        pool = found_pools(Inventory(devices=(device, HOST)))[0]
        model = models()["glm-4.7-flash"]
        wish = Wish(engine="vllm")
        assert choices("glm-4.7-flash", model, pool, wish)[0].fits is fits


def test_memory_that_is_not_known_is_no_zero() -> None:
    card = Device(platform="nvidia", index=0, name="NVIDIA H200", architecture="sm90")
    pool = found_pools(Inventory(devices=(card, HOST)))[0]
    assert choices("glm-5", GLM5, pool, Wish())[0].verdict == "unknown_memory"


def test_unified_memory_is_the_hosts() -> None:
    card = Device(platform="nvidia", index=0, name="NVIDIA GB10", architecture="sm121", unified_memory=True)
    pool = found_pools(Inventory(devices=(card, HOST)))[0]
    assert (pool.memory_bytes, pool.free_bytes) == (HOST.memory_bytes, HOST.free_bytes)


def test_slices_of_a_card_do_not_serve_together() -> None:
    slices = tuple(
        Device(
            platform="nvidia",
            index=0,
            name="NVIDIA H100 MIG 3g.40gb",
            uuid=f"MIG-{n}",
            slice_of=0,
            memory_bytes=40 << 30,
        )
        for n in range(2)
    )
    assert found_pools(Inventory(devices=(*slices, HOST)))[0].count == 1


def test_the_largest_kind_of_card_counts_in_a_mixed_host() -> None:
    cards = [Device(platform="nvidia", index=n, name="NVIDIA L40S", memory_bytes=46_068 * MIB) for n in range(2)]
    big = Device(platform="nvidia", index=2, name="NVIDIA H200", memory_bytes=143_771 * MIB)
    pools = found_pools(Inventory(devices=(*cards, big, HOST)))
    assert [(pool.name, pool.count) for pool in pools] == [("h200", 1), ("l40s", 2), (None, 1)]


def test_an_engine_is_kept_to_the_cards_that_were_planned() -> None:
    cards = [
        Device(platform="nvidia", index=n, name=name, uuid=f"GPU-{n}", memory_bytes=size * MIB)
        for n, (name, size) in enumerate([("NVIDIA L40S", 46_068), ("NVIDIA H200", 143_771), ("NVIDIA H200", 143_771)])
    ]
    best, rest, _ = found_pools(Inventory(devices=(*cards, HOST)))
    assert (best.visible, rest.visible) == (
        {"CUDA_VISIBLE_DEVICES": "GPU-1,GPU-2"},
        {"CUDA_VISIBLE_DEVICES": "GPU-0"},
    )
    assert found_pools(Inventory(devices=(*cards[1:], HOST)))[0].visible == {}
    nameless = [
        Device(platform="ascend", index=12 + n, name=n_ * "910B2", memory_bytes=1) for n, n_ in ((0, 1), (1, 2))
    ]
    assert found_pools(Inventory(devices=(*nameless, HOST)))[1].visible == {"ASCEND_RT_VISIBLE_DEVICES": "1"}


def test_of_slices_an_engine_gets_one() -> None:
    slices = [
        Device(platform="nvidia", index=0, name="MIG 3g.40gb", uuid=f"MIG-{n}", slice_of=0, memory_bytes=40 << 30)
        for n in range(2)
    ]
    assert found_pools(Inventory(devices=(*slices, HOST)))[0].visible == {"CUDA_VISIBLE_DEVICES": "MIG-0"}


def test_what_cannot_be_spread_over_machines_says_so() -> None:
    flash = choices("glm-4.7-flash", models()["glm-4.7-flash"], named_pool("16xH100"), Wish())
    assert {choice.verdict for choice in flash} == {"no_recipe"}
    assert flash[0].why == "vllm cannot spread it over 16 devices in 2 machines: plan one machine"
    layers = weighed("glm-5.2", "16xA100", "UD-Q4_K_M", "llama_cpp")
    assert layers.verdict == "no_recipe"


@pytest.mark.parametrize("text", ["", "0xH200", "9xH200", "8x", "many h200", "8xH200 and more", "99999xh200"])
def test_hardware_that_makes_no_sense_is_an_error(text: str) -> None:
    with pytest.raises((UsageError, UnknownNameError)):
        named_pool(text)


def test_a_machine_of_a_kind_is_meant_without_a_number() -> None:
    assert (named_pool("h200").count, named_pool("ascend-a3").count) == (8, 16)


def test_a_checkpoint_name_finds_its_model() -> None:
    assert find_model("zai-org/GLM-5-FP8")[0] == "glm-5"


@pytest.mark.parametrize("name", list(hardware()))
def test_a_figure_of_hardware_has_its_source_or_is_called_assumed(name: str) -> None:
    item = hardware()[name]
    figures = (item.bandwidth_gb_s, item.tflops_bf16, item.tflops_fp8, item.tflops_fp4)
    assert (item.speed_source is None) is (figures == (None,) * 4)
    assert item.source
    if item.basis == "reported":
        assert item.memory_mib in reported(name)


def reported(name: str) -> set[int]:
    """The sizes, in MiB, that recorded tools report for devices of this kind."""
    sizes = set()
    for file in (Path(__file__).parent / "golden").glob("*.json"):
        for device in map(json.loads, file.read_text().splitlines()):
            known = hardware_called(device.get("name"), device["platform"])
            if known is not None and known[0] == name and device.get("memory_bytes"):
                sizes.add(device["memory_bytes"] // MIB)
    return sizes


def test_a_plan_for_hardware_whose_memory_is_assumed_says_so() -> None:
    for on, told in (("8xA100", True), ("8xH200", False)):
        decision = decide("glm-4.7-flash", [named_pool(on)], Wish())
        notes = plan(decision, Wish(), Place(host="127.0.0.1", port=8000), command="", version="0").notes
        assert any("is assumed, not read" in note.text for note in notes) is told


def test_weights_in_fp4_are_reckoned_at_the_speed_of_fp4_or_not_at_all() -> None:
    b200, h100, a100 = (hardware()[name] for name in ("b200", "h100", "a100"))
    assert (b200.tflops("nvfp4"), h100.tflops("nvfp4")) == (9000, None)
    assert (h100.tflops("w4a8"), h100.tflops("bf16"), a100.tflops("UD-Q4_K_M")) == (1979, 989, 312)


@pytest.mark.parametrize("name", list(models()))
def test_what_the_catalogue_says_holds_together(name: str) -> None:
    model = models()[name]
    architectures = {item.architecture for item in hardware().values()} | {"any", "cpu", "sm86"}
    for checkpoint in model.checkpoints:
        assert set(checkpoint.runs_on) <= architectures
        assert "any" in checkpoint.kv
        for engine in (engine for engines in checkpoint.runs_on.values() for engine in engines):
            assert load_engine(engine).TITLE
    assert model.shape.routed < model.shape.parameters
    assert model.shape.active <= model.shape.parameters
    for recipe in model.recipes:
        assert load_engine(recipe.engine).TITLE
        assert recipe.version is None or recipe.version.count(".") == 2


def test_an_engine_is_promised_no_more_memory_than_is_free() -> None:
    card = replace(named_pool("1xH100"), found=True)
    whole = card.memory_bytes or 0
    vllm = load_engine("vllm")
    assert memory_share(card, vllm) == 0.90
    assert memory_share(replace(card, free_bytes=whole // 2 + SLACK_BYTES), vllm) == 0.50
    decision = decide("glm-4-9b", [replace(card, free_bytes=whole // 2 + SLACK_BYTES)], Wish(engine="vllm"))
    assert decision.chosen is not None
    launch = launch_for(decision.chosen, decision.model, Place(host="127.0.0.1", port=8000))
    assert "--gpu-memory-utilization 0.5 " in " ".join([*launch.arguments, ""])
