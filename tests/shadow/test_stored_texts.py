"""What a run leaves on the disk, searched whole: no text that `--store` does not keep, whoever said it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome
from tests.endpoints.fault_server import FaultServer
from tests.shadow.make_log import write_log
from tests.shadow.project import configure, the_run
from tests.shadow.servers import speaker

Run = Callable[..., Outcome]
ADDRESS = "jane.doe@example.com"
SENTENCE = "the heron sleeps at noon"
REPEATS = f'error:400 {{"error": {{"message": "cannot take: {ADDRESS} says {SENTENCE}"}}}}'
OWN = "def echo(told):\n    raise ValueError(told['one']['text'])\n"
PROGRAM = "#!/bin/sh\ncat >&2\nexit 1\n"


@pytest.fixture(autouse=True)
def folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(project))
    write_log(project / "logs.jsonl", 60)
    (project / "rules_that_repeat.py").write_text(OWN)
    (project / "repeats").write_text(PROGRAM)
    (project / "repeats").chmod(0o755)
    return project


def says(body: dict[str, Any]) -> tuple[str, ...]:
    return (f"{ADDRESS} ", f"says {SENTENCE} ", *speaker()(body))


def files_of_the_run() -> dict[str, str]:
    return {path.name: path.read_text() for path in the_run().iterdir()}


def run(llmmigrate: Run, store: str) -> dict[str, str]:
    """The files of a run in which answers, a failing endpoint and failing measures say what must not be kept."""
    with FaultServer(say=says) as current, FaultServer(*["ok"] * 3, REPEATS, REPEATS, say=says) as target:
        configure(current, target)
        own = ("--measure", "rules_that_repeat:echo", "--measure", "./repeats")
        found = llmmigrate("shadow", "--canary", "30%", "--yes", "--cost-sample", "5", "--store", store, *own)
    assert found.code in (1, 3), found.err
    files = files_of_the_run()
    told = {item["name"]: item for item in json.loads(files["verdict.json"])["measures"]}
    assert told["rules_that_repeat:echo"]["not_measured"] > 0
    assert "bad_request" in files["journal.jsonl"]
    return files


def test_hashes_keep_no_text_in_any_file(llmmigrate: Run) -> None:
    files = run(llmmigrate, "hashes")
    assert [name for name, text in files.items() if ADDRESS in text] == []
    assert [name for name, text in files.items() if "heron" in text] == []
    told = {item["name"]: item["why"] for item in json.loads(files["verdict.json"])["measures"]}
    assert told["rules_that_repeat:echo"] == "ValueError"
    assert told["repeats"] == "the program ended with 1"


def test_redacted_texts_stand_in_the_journal_and_none_in_the_verdict(llmmigrate: Run) -> None:
    files = run(llmmigrate, "redacted")
    assert [name for name, text in files.items() if ADDRESS in text] == []
    assert "heron" not in files["verdict.json"]
    assert f"cannot take: [email] says {SENTENCE}" in files["journal.jsonl"]


def test_all_texts_are_kept_where_that_is_asked_for(llmmigrate: Run) -> None:
    files = run(llmmigrate, "full")
    told = {item["name"]: item["why"] for item in json.loads(files["verdict.json"])["measures"]}
    assert told["rules_that_repeat:echo"].startswith(f"ValueError: {ADDRESS}")
    assert f"cannot take: {ADDRESS}" in files["journal.jsonl"]


def test_the_journal_of_a_batch_keeps_no_words_of_the_endpoint(llmmigrate: Run) -> None:
    line = {"custom_id": "a", "body": {"messages": [{"role": "user", "content": SENTENCE}], "max_tokens": 5}}
    Path("requests.jsonl").write_text(json.dumps(line) + "\n")
    with FaultServer(then=REPEATS) as server:
        Path("llmmigrate.yaml").write_text(f"""\
version: 1
providers:
  local: {{base_url: "{server.base_url}", dialect: openai-chat, price: zero}}
""")
        found = llmmigrate("batch", "requests.jsonl", "--to", "local/glm-5", "-o", "answers.jsonl")
    assert found.code == 1, found.err
    journal = Path("answers.jsonl.journal").read_text()
    assert "bad_request" in journal
    assert "heron" not in journal
    assert ADDRESS not in journal
