"""That what is written for others to run says the same as the plan, and that their own tools accept it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmmigrate import registry
from llmmigrate.errors import ServingError
from llmmigrate.serving.exports import ROOM, Deployment, compose, systemd
from llmmigrate.serving.fit import Wish
from llmmigrate.serving.planning import Place, decide, deployment_of
from llmmigrate.serving.pool import named_pool

MISSING = "{} is not installed here: nothing checks this file but us"


def deployment(model: str, on: str, **changes: Any) -> Deployment:
    decision = decide(model, [named_pool(on)], Wish())
    made = deployment_of(decision, Place(host="127.0.0.1", port=8000), header="Made by a test")
    return Deployment(**{name: getattr(made, name) for name in made.__slots__} | changes)


@pytest.mark.parametrize(("model", "on"), [("glm-5", "8xH200"), ("glm-5.3", "8xmi300x"), ("glm-5", "8xascend-a2")])
def test_a_compose_file_runs_the_plan_in_the_engines_image(model: str, on: str) -> None:
    wanted = deployment(model, on)
    ((service,),) = [list(yaml.safe_load(text)["services"].values()) for text in compose.files(wanted).values()]
    assert service["image"] == wanted.image
    assert service["command"][service["command"].index("--host") + 1] == "0.0.0.0"
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["environment"]["VLLM_API_KEY"].startswith("${LLMMIGRATE_LOCAL_KEY:?")
    assert [word for word in service["command"] if word != "0.0.0.0"] == [
        word for word in wanted.arguments if word != "127.0.0.1"
    ]


def test_a_platform_without_an_image_is_told_the_other_form() -> None:
    with pytest.raises(ServingError, match="nobody publishes an image") as failure:
        compose.files(deployment("glm-4-9b", "1xH100", image=None))
    assert failure.value.fix == "write --export systemd"


def test_a_folder_of_ones_own_is_mounted_to_be_read() -> None:
    text = compose.files(deployment("glm-4-9b", "1xH100", folder="/models/mine"))["compose.yaml"]
    (service,) = yaml.safe_load(text)["services"].values()
    assert "/models/mine:/models/mine:ro" in service["volumes"]


@pytest.mark.parametrize("hostile", ["a $HOME b", "100%", 'say "hi"', "back\\slash", "two words"])
def test_no_value_is_taken_apart(hostile: str, tmp_path: Path) -> None:
    wanted = deployment(
        "glm-4-9b", "1xH100", environment={"WORDS": hostile}, arguments=("serve", "--host", "x", hostile)
    )
    (service,) = yaml.safe_load(compose.files(wanted)["compose.yaml"])["services"].values()
    assert service["environment"]["WORDS"].replace("$$", "$") == hostile
    assert service["command"][-1].replace("$$", "$") == hostile
    unit = systemd.files(wanted)["llmmigrate-glm-4-9b.service"]
    assert unit.count("\n[") == 3
    assert len([line for line in unit.splitlines() if line.startswith("ExecStart=")]) == 1


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason=MISSING.format("systemd-analyze"))
@pytest.mark.parametrize("words", ["plain", 'a "b" $c 100% \\d'])
def test_systemd_accepts_the_unit(words: str, tmp_path: Path) -> None:
    program = tmp_path / "engine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    wanted = deployment("glm-5", "8xH200", program=str(program), environment={"WORDS": words}, directory="/tmp")
    for name, text in systemd.files(wanted).items():
        (tmp_path / name).write_text(text)
    unit = str(tmp_path / "llmmigrate-glm-5.service")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "llmmigrate" in line]) == (0, [])


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason=MISSING.format("docker-compose"))
@pytest.mark.parametrize("on", ["8xH200", "8xascend-a2"])
def test_compose_accepts_the_file(on: str, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(compose.files(deployment("glm-5", on))["compose.yaml"])
    check = ["docker-compose", "-f", str(tmp_path / "compose.yaml"), "config"]
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path), "ENGINE_VERSION": "1"}
    refused = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
    assert "set a key for this endpoint" in refused.stderr
    accepted = subprocess.run(
        check, env=environment | {"LLMMIGRATE_LOCAL_KEY": "k"}, capture_output=True, text=True, check=False
    )
    assert accepted.returncode == 0, accepted.stderr


def test_a_key_is_in_no_file() -> None:
    for name in registry.names(ROOM):
        for text in registry.load(ROOM, name).files(deployment("glm-5", "8xH200")).values():
            lines = [line for line in text.splitlines() if "API_KEY" in line]
            assert [line for line in lines if not line.rstrip().endswith(("=", "endpoint}"))] == []
