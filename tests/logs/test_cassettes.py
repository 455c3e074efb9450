"""Cassettes as vcrpy writes them, YAML with compressed bodies, and files that only look like one."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.logs.profiles import read_bytes

from llmmigrate.errors import InputError
from llmmigrate.logs.reader import ReadOptions
from llmmigrate.usage.profile import Profile

ANSWER = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
    "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 3},
}  # fmt: skip


def interaction(body: Any, uri: str = "https://api.anthropic.com/v1/messages") -> dict[str, Any]:
    return {
        "request": {"method": "POST", "uri": uri, "headers": {"x-api-key": ["sk-ant-1"]}, "body": '{"model": "m"}'},
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"Date": ["Fri, 20 Nov 2026 10:00:00 GMT"], "content-encoding": ["gzip"]},
            "body": {"string": body},
        },
    }


def tape(*interactions: dict[str, Any]) -> bytes:
    """As vcrpy's serializer writes it."""
    return yaml.dump({"interactions": list(interactions), "version": 1}).encode()


def read(folder: Path, data: bytes) -> Profile:
    return read_bytes(folder, data, ReadOptions(), "cassette.yaml")


def test_a_yaml_cassette_is_read(tmp_path: Path) -> None:
    text = json.dumps(ANSWER)
    profile = read(
        tmp_path, tape(interaction(text), interaction(gzip.compress(text.replace("msg_1", "msg_2").encode())))
    )
    ((key, cell),) = profile.cells.items()
    assert (key.provider, key.model, cell.calls, sum(cell.tokens)) == ("anthropic", "claude-sonnet-4-5", 2, 24)
    assert profile.accounting.sources[0].formats == {"vcr": 1}
    assert profile.accounting.lines.add_up()


def test_a_comment_and_a_version_may_come_first(tmp_path: Path) -> None:
    data = b"# recorded by hand\nversion: 1\n" + tape(interaction(json.dumps(ANSWER)))
    assert read(tmp_path, data.replace(b"\nversion: 1\n", b"\n", 1)).total_calls() == 1


@pytest.mark.parametrize(
    "data",
    [
        b"interactions:\n- request: {body: [\n",
        b"interactions:\n- !!python/object/apply:os.system ['true']\n",
        b"interactions: &a [*a, *a, *a]\n",
        b"interactions: 7\n",
        b"interactions:\n- 5\n- {}\n- {request: 3}\n",
    ],
)
def test_what_is_no_cassette_is_an_error_and_no_crash(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError, match="no usable record"):
        read(tmp_path, data)
