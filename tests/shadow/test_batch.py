import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome
from tests.endpoints.fault_server import FaultServer

Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def configure(server: FaultServer, price: str = "zero") -> None:
    Path("llmmigrate.yaml").write_text(f"""\
version: 1
providers:
  local: {{base_url: "{server.base_url}", dialect: openai-chat, price: {price}}}
""")


def write_requests(count: int, **body: Any) -> None:
    lines = [
        {
            "custom_id": f"r{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"messages": [{"role": "user", "content": f"question {number}"}], "max_tokens": 50, **body},
        }
        for number in range(count)
    ]
    Path("requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def answers() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]


def test_every_request_has_its_answer(llmmigrate: Run) -> None:
    write_requests(50)
    with FaultServer() as server:
        configure(server)
        found = llmmigrate("batch", "requests.jsonl", "--to", "local/glm-5", "-o", "answers.jsonl")
    assert found.code == 0, found.err
    assert found.out.startswith("50 of 50 requests answered (100.0 %).")
    assert {item["custom_id"] for item in answers()} == {f"r{number}" for number in range(50)}
    first = answers()[0]
    assert first["error"] is None
    assert first["response"]["status_code"] == 200
    assert first["response"]["body"]["choices"][0]["message"]["content"] == "The answer is forty-two."
    assert not server.requests[0].stream


def test_failures_are_counted_and_can_be_sent_again(llmmigrate: Run) -> None:
    write_requests(40)
    with FaultServer(*['error:400 {"error": {"message": "no"}}'] * 5) as server:
        configure(server)
        found = llmmigrate("batch", "requests.jsonl", "--to", "local/glm-5", "-o", "answers.jsonl")
        assert found.code == 1
        assert "35 of 40 requests answered" in found.out
        assert "bad request: 5" in found.out
        again = llmmigrate("batch", "requests.jsonl", "--to", "local/glm-5", "-o", "answers.jsonl", "--resume")
    assert again.code == 0, again.out + again.err
    assert len(server.requests) == 45
    assert sum(item["error"] is None for item in answers()) == 40


def test_an_output_that_is_there_is_not_overwritten(llmmigrate: Run) -> None:
    write_requests(3)
    Path("answers.jsonl").write_text('{"custom_id": "old", "error": null}\n')
    with FaultServer() as server:
        configure(server)
        found = llmmigrate("batch", "requests.jsonl", "--to", "local/glm-5", "-o", "answers.jsonl")
    assert found.code == 2
    assert "--resume" in found.err
    assert not server.requests


def test_a_torn_last_answer_is_sent_again(llmmigrate: Run) -> None:
    write_requests(3)
    Path("answers.jsonl").write_text('{"custom_id": "r0", "response": {}, "error": null}\n{"custom_id": "r1", "resp')
    with FaultServer() as server:
        configure(server)
        found = llmmigrate("batch", "requests.jsonl", "--to", "local/glm-5", "-o", "answers.jsonl", "--resume")
    assert found.code == 0, found.err
    assert len(server.requests) == 2
    assert next(item["custom_id"] for item in answers()) == "r0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no request"),
        ("nonsense\n", "requests.jsonl:1"),
        ('{"custom_id": "a", "body": {"prompt": "old"}}\n', "no chat request"),
        ('{"body": {"messages": [{"role": "user", "content": "hi"}]}}\n', "custom_id"),
        (2 * '{"custom_id": "a", "body": {"messages": [{"role": "user", "content": "hi"}]}}\n', "stands twice"),
    ],
)
def test_bad_input_is_told_where(llmmigrate: Run, text: str, words: str) -> None:
    Path("requests.jsonl").write_text(text)
    with FaultServer() as server:
        configure(server)
        found = llmmigrate("batch", "requests.jsonl", "--to", "local/glm-5", "-o", "answers.jsonl")
    assert found.code == 2
    assert words in found.err
    assert not server.requests


def test_without_a_price_tokens_have_to_be_capped(llmmigrate: Run) -> None:
    write_requests(20)
    with FaultServer() as server:
        configure(server, price="null")
        options = ("batch", "requests.jsonl", "--to", "local/glm-5", "-o", "answers.jsonl")
        refused = llmmigrate(*options)
        assert refused.code == 2
        assert "--max-tokens-total" in refused.err
        assert not server.requests
        capped = llmmigrate(*options, "--max-tokens-total", "500")
    assert capped.code == 3, capped.err
    assert "The cap is reached" in capped.out
    assert 0 < len(server.requests) < 20
