"""The command line of every engine, what it is told apart by while it starts, and what is checked before."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tools.engine_commands import FILE, PLANS, text

from llmmigrate import registry
from llmmigrate.errors import ServingError, UnknownNameError
from llmmigrate.serving import asking
from llmmigrate.serving.catalogue import Recipe, models
from llmmigrate.serving.engines import ROOM, check_installed, engine_name, installed_version, load_engine
from llmmigrate.serving.fit import Wish

Play = Callable[..., Path]


def test_every_command_line_is_as_it_was() -> None:
    assert text() == FILE.read_text(encoding="utf-8")


def test_every_engine_has_a_command_line_under_review() -> None:
    lines = FILE.read_text(encoding="utf-8")
    assert [name for name in registry.names(ROOM) if f", {name}" not in lines] == []
    assert any(wish == Wish(draft=False, engine="vllm") for _, _, wish in PLANS)


def test_the_published_launch_of_glm_5_is_part_of_ours() -> None:
    published = (
        "--tensor-parallel-size 8,--speculative-config.method mtp,--speculative-config.num_speculative_tokens 3,"
        "--tool-call-parser glm47,--reasoning-parser glm45,--enable-auto-tool-choice,"
        "--chat-template-content-format=string"
    )
    (ours,) = [line for line in FILE.read_text().split("\n\n") if line.startswith("# glm-5 fp8 on 8xH200, vllm\n")]
    assert [words for words in published.split(",") if words not in ours] == []


def test_engines_are_called_as_their_projects_write_them() -> None:
    assert [engine_name(name) for name in ("vLLM", "llama.cpp", "vllm-ascend")] == ["vllm", "llama_cpp", "vllm_ascend"]
    with pytest.raises(UnknownNameError) as failure:
        load_engine("vlm")
    assert failure.value.fix == "did you mean 'vllm'?"


def test_an_engine_that_is_not_installed_is_told_with_how_to_install_it() -> None:
    with pytest.raises(ServingError, match="sglang is not installed here") as failure:
        check_installed(load_engine("sglang"), None)
    assert failure.value.fix is not None
    assert failure.value.fix.startswith("pip install sglang")


def test_an_engine_that_is_too_old_is_told_with_what_is_needed(monkeypatch: pytest.MonkeyPatch, play: Play) -> None:
    play("vllm", "exit 0")
    monkeypatch.setattr("llmmigrate.serving.engines.version", lambda _: "0.16.0rc1+cu130")
    recipe = Recipe(engine="vllm", version="0.19.0", source="a recipe")
    with pytest.raises(ServingError, match=r"vllm 0\.16\.0rc1\+cu130 is too old") as failure:
        check_installed(load_engine("vllm"), recipe)
    assert failure.value.why == "it needs 0.19.0 or newer (a recipe)"
    newer = Recipe(engine="vllm", version="0.9.9", source="a recipe")
    assert check_installed(load_engine("vllm"), newer).endswith("/vllm")


def test_a_program_without_a_package_is_installed_in_an_unknown_version(play: Play) -> None:
    play("llama-server", "exit 0")
    assert installed_version(load_engine("llama.cpp")) == "unknown"
    assert check_installed(load_engine("llama.cpp"), None).endswith("/llama-server")


NEW = "version: 0.5.0-dev (build 1, commit 0c1e570)"
OLD = "version: 6730 (e60f01d)"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        (f"echo '{NEW}' >&2", "0.5.0-dev"),
        (f"echo 'ggml_cuda_init: found 1 CUDA devices'; echo '{OLD}'", "b6730"),
        ("echo 'version: unknown'", "unknown"),
        (f"echo '{NEW}'; exit 1", "unknown"),
        ("", "unknown"),
    ],
)
def test_llama_server_tells_its_version_with_its_own_words(said: str, version: str, play: Play) -> None:
    play("llama-server", '[ "$1" = --version ] || exit 9', said)
    assert installed_version(load_engine("llama.cpp")) == version


def test_a_program_that_does_not_say_its_version_in_time_has_an_unknown_one(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.2)
    play("llama-server", "exec sleep 60")
    assert installed_version(load_engine("llama.cpp")) == "unknown"


def test_a_llama_server_that_is_too_old_is_refused_with_ways_forward(play: Play) -> None:
    recipe, engine = models()["glm-5.2"].recipe("llama_cpp", "sm90", "UD-Q4_K_M"), load_engine("llama.cpp")
    path = play("llama-server", f"echo '{OLD}' >&2")
    with pytest.raises(ServingError, match=r"llama\.cpp b6730 is too old for this model") as failure:
        check_installed(engine, recipe)
    assert (failure.value.why or "").startswith("it needs 0.5.0 or newer (the architecture is in llama.cpp 0.5.0-dev")
    assert (failure.value.fix or "").endswith("or try this one with --force")
    assert check_installed(engine, recipe, force=True) == str(path)


def test_a_llama_server_that_is_new_enough_is_taken(play: Play) -> None:
    recipe = models()["glm-5.2"].recipe("llama_cpp", "sm90", "UD-Q4_K_M")
    path = play("llama-server", f"echo '{NEW}' >&2")
    assert check_installed(load_engine("llama.cpp"), recipe) == str(path)


@pytest.mark.parametrize(
    ("engine", "line", "phase", "share"),
    [
        ("vllm", "Loading safetensors checkpoint shards:  45% Completed | 9/20 [00:10<00:12]", "loading weights", "45"),
        ("vllm", "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  60%|######", "warming up", "60"),
        (
            "vllm",
            "INFO 11-22 08:11:25 [cpu_model_runner.py:87] Warming up model for the compilation...",
            "compiling",
            None,
        ),
        (
            "sglang",
            "[2026-11-22 10:00:00 TP0] Capture cuda graph begin. This can take several minutes.",
            "warming up",
            None,
        ),
        ("transformers", "Loading weights: 100%|##########| 83/83 [00:00<00:00]", "loading weights", "100"),
        ("transformers", "INFO:     Waiting for application startup.", "starting the server", None),
        ("llama_cpp", "0.00.019.598 I srv    load_model: loading model '/models/tiny.gguf'", "loading weights", None),
        ("llama_cpp", "0.01.092.095 I srv  llama_server: model loaded", "starting the server", None),
        ("llama_cpp", "load_tensors: loading model tensors, this can take a while...", "loading weights", None),
    ],
)
def test_the_phases_of_a_start_are_read_from_what_is_printed(
    engine: str, line: str, phase: str, share: str | None
) -> None:
    found = [(item.name, item.pattern.search(line)) for item in load_engine(engine).PHASES]
    name, match = next((name, match) for name, match in found if match)
    assert (name, match[1] if match.groups() else None) == (phase, share)


def test_the_program_beside_this_python_comes_before_the_path(
    play: Play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    play("vllm", "exit 0")
    beside = tmp_path / "bin"
    beside.mkdir()
    (beside / "vllm").touch()
    monkeypatch.setattr(sys, "executable", str(beside / "python"))
    assert check_installed(load_engine("vllm"), None) == str(beside / "vllm")
