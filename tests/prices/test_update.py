"""`llmmigrate prices update`: what changes is appended, what is not believed is refused, the rest stays as it was."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.prices.libraries import Model, genai_json, genai_wheel, litellm_wheel, model, wheel

from llmmigrate.prices.updates import genai_prices, litellm

Run = Callable[..., Any]
SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "llmmigrate.prices-update.schema.json"
FIRST, SECOND = "2026-11-01", "2026-11-20"
BY_HAND = """\
# kept by hand
schema: 1
provider: zai
currency: USD
models:
  - id: glm-9  # the newest
    aliases: [glm-nine]
    periods:
      - from: 2026-01-01
        per_mtok: {input: "1", cache_read: "0.1", output: "4"}  # see the page
        tiers:
          batch: {times: {input: "0.5", output: "0.5"}}
        source: "A: the vendor's page"
# the end
"""


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole set of tables with none in it, in a directory without settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")  # 2026-11-22
    (tmp_path / "pricing" / "imported").mkdir(parents=True)
    return tmp_path / "pricing"


def update(run: Run, source: Path, day: str = SECOND, *more: str, name: str = "genai-prices") -> Any:
    return run("prices", "update", "--source", name, "--from", str(source), "--observed", day, *more)


def held(tables: Path, provider: str = "x-ai") -> dict[str, Any]:
    """The models of an imported table: id → model."""
    text = (tables / "imported" / f"{provider}.yaml").read_text()
    found = json.loads(text[text.index("\n{") :])
    return {each["id"]: each for each in found["models"]}


def files(tables: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(tables.rglob("*")) if path.is_file()}


def started(run: Run, folder: Path, *models: Model) -> None:
    """A first update, from version 1."""
    done = update(run, genai_wheel(folder, "1.0", x_ai=list(models)), FIRST)
    assert done.code == 0, done.err


def test_a_new_provider_gets_a_table_that_is_used(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    started(llmmigrate, tmp_path, model("grok-9"))
    period = held(tables)["grok-9"]["periods"][0]
    assert (period["from"], period["per_mtok"]) == (FIRST, {"input": "2", "output": "8"})
    assert period["source"] == "C: genai-prices 1.0, observed 2026-11-01"
    assert "# The licence of a test" in (tables / "imported" / "x-ai.yaml").read_text()
    assert llmmigrate("prices", "validate", "pricing/imported/x-ai.yaml").code == 0


def test_a_changed_rate_ends_the_period_and_opens_another(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    started(llmmigrate, tmp_path, model("grok-9"))
    done = update(llmmigrate, genai_wheel(tmp_path, "1.1", x_ai=[model("grok-9", 3)]))
    assert done.code == 0
    periods = held(tables)["grok-9"]["periods"]
    assert [(each["from"], each["per_mtok"]["input"]) for each in periods] == [(FIRST, "2"), (SECOND, "3")]
    assert periods[1]["source"] == "C: genai-prices 1.1, observed 2026-11-20"
    changes = (tables / "CHANGES.md").read_text()
    assert changes.index("## 2026-11-20: genai-prices 1.1") < changes.index("## 2026-11-01: genai-prices 1.0")
    assert "| x-ai/grok-9 | input | 2 | 3 | +50.0 % |" in changes
    closed = json.loads((tables / "imported" / "closed.json").read_text())
    assert list(closed) == ["x-ai/grok-9@2026-11-01"]
    assert llmmigrate("prices", "validate", "pricing/imported/x-ai.yaml").code == 0


def test_no_period_is_put_before_one_that_is_there(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    started(llmmigrate, tmp_path, model("grok-9"))
    source = genai_wheel(tmp_path, "1.1", x_ai=[model("grok-9", 3)])
    update(llmmigrate, source, "2026-11-10")
    before = held(tables)
    for day in ("2026-11-05", "2026-11-10"):
        other = genai_wheel(tmp_path, "1.2", x_ai=[model("grok-9", 4)])
        done = update(llmmigrate, other, day)
        assert (done.code, held(tables)) == (0, before)
        assert "it has a price from 2026-11-10 on already: name a later day with --observed: x-ai/grok-9" in " ".join(
            done.out.split()
        )
    assert update(llmmigrate, other, "2026-11-11").code == 0
    assert [each["from"] for each in held(tables)["grok-9"]["periods"]] == [FIRST, "2026-11-10", "2026-11-11"]
    assert "no errors, 0 notes" in llmmigrate("prices", "validate", "pricing/imported/x-ai.yaml").out


def _announcing(now: str, days: dict[str, str]) -> Model:
    """A model whose source announces input rates: day → rate."""
    dated = [
        {"constraint": {"start_date": day}, "prices": {"input_mtok": float(rate), "output_mtok": 8.0}}
        for day, rate in days.items()
    ]
    return {**model("grok-9"), "prices": [{"prices": {"input_mtok": float(now), "output_mtok": 8.0}}, *dated]}


def test_an_announced_price_is_not_shortened_either(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    first = genai_json(tmp_path / "a.json", x_ai=[_announcing("2", {"2026-12-20": "3"})])
    assert update(llmmigrate, first, FIRST).code == 0
    before = held(tables)
    assert [each["from"] for each in before["grok-9"]["periods"]] == [FIRST, "2026-12-20"]
    second = genai_json(tmp_path / "b.json", x_ai=[_announcing("2.5", {"2026-12-10": "3", "2026-12-31": "4"})])
    said = " ".join(update(llmmigrate, second).out.split())
    assert "a price from 2026-12-20 on is announced already: change it by hand: x-ai/grok-9" in said
    assert "announced for 2026-12-10, but a price from 2026-12-20 on is announced already" in said
    assert [each["from"] for each in held(tables)["grok-9"]["periods"]] == [FIRST, "2026-12-20", "2026-12-31"]


def test_a_price_of_the_tables_below_is_not_covered_either(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    """A period in a folder of one's own would last, over what the bundled table has from a later day on."""
    (tables / "imported").rmdir()
    said = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 4e-06, "output_cost_per_token": 1e-05}
    source = litellm_wheel(tmp_path, "1.0", {"gpt-4o": said})
    done = update(llmmigrate, source, "2024-08-01", name="litellm")
    assert (done.code, files(tables)) == (0, {})
    assert "it has a price from 2026-10-14 on already" in " ".join(done.out.split())


def test_old_calls_keep_their_price(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    started(llmmigrate, tmp_path, model("grok-9"))
    update(llmmigrate, genai_wheel(tmp_path, "1.1", x_ai=[model("grok-9", 3)]))
    Path("llmmigrate.yaml").write_text("prices: [pricing/imported]\n")
    shown = [llmmigrate("prices", "show", "x-ai/grok-9", "--at", day).out.splitlines()[0] for day in (FIRST, SECOND)]
    assert ["2.00 input" in shown[0], "3.00 input" in shown[1]] == [True, True]


def test_a_dry_run_shows_all_and_writes_nothing(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    started(llmmigrate, tmp_path, model("grok-9"))
    before = files(tables)
    source = genai_wheel(tmp_path, "1.1", x_ai=[model("grok-9", 3), model("grok-10")])
    done = update(llmmigrate, source, SECOND, "--dry-run", "--format", "json")
    told = json.loads(done.out)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(told)
    assert (done.code, told["dry_run"], files(tables) == before) == (0, True, True)
    assert told["changed"] == [{"model": "x-ai/grok-9", "rate": "input", "before": "2", "after": "3"}]
    assert [each["model"] for each in told["added"]] == ["x-ai/grok-10"]


def test_the_same_again_changes_no_price(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    source = genai_wheel(tmp_path, "1.0", x_ai=[model("grok-9")])
    update(llmmigrate, source, FIRST)
    models, changes = held(tables), (tables / "CHANGES.md").read_text()
    done = update(llmmigrate, source)
    assert (done.code, held(tables), (tables / "CHANGES.md").read_text()) == (0, models, changes)
    assert '"checked":"2026-11-20"' in (tables / "imported" / "x-ai.yaml").read_text()


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (model("grok-9", 0.000002, 0.000008), "input: 2 → 0.000002 is less than a 5th"),
        (model("grok-9", 2_000_000, 8), "input: 2 → 2000000 is more than 5 times as much"),
        (model("grok-9", 0.002, 8), "input: 2 → 0.002 is less than a 5th"),
        (model("grok-9", 2000, 8), "input: 2 → 2000 is more than 5 times as much"),
        (model("grok-9", 0, 8), "input: 2 → 0 would be free"),
        (model("grok-9", 2, 0), "output: 8 → 0 would be free"),
        ({**model("grok-9"), "prices": {"input_mtok": 2}}, "output: 8 → no rate"),
        (model("grok-nine"), "the source does not list it any more: is it 'grok-nine' now?"),
        (model("orca", 1), "the source does not list it any more"),
        ({**model("grok-9"), "prices": {"input_mchars": 2}}, "in a form that is no price per token"),
    ],
)
def test_what_is_not_believed_is_refused_whole(
    after: Model, words: str, llmmigrate: Run, tmp_path: Path, tables: Path
) -> None:
    started(llmmigrate, tmp_path, model("grok-9"), model("grok-8", 1))
    before = files(tables)
    source = genai_json(tmp_path / "new.json", x_ai=[after, model("grok-8", 1.5)])
    done = update(llmmigrate, source)
    assert (done.code, files(tables) == before) == (2, True)
    assert words in " ".join(done.out.split())
    assert "update refused" in done.err
    assert "nothing was written" in done.err
    assert "--accept x-ai/grok-9" in done.err


def test_what_is_accepted_is_believed(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    started(llmmigrate, tmp_path, model("grok-9"), model("grok-8", 1))
    source = genai_json(tmp_path / "new.json", x_ai=[model("grok-8", 9)])
    done = update(llmmigrate, source, SECOND, "--accept", "x-ai/*")
    assert done.code == 0
    assert held(tables)["grok-8"]["periods"][1]["per_mtok"]["input"] == "9"
    assert held(tables)["grok-9"]["retires"] == SECOND  # it stays, with its prices
    assert held(tables)["grok-9"]["periods"][0]["per_mtok"]["input"] == "2"
    assert update(llmmigrate, source, "2026-11-21").code == 0  # and is not asked for again


def test_a_source_that_lost_a_provider_is_refused(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    started(llmmigrate, tmp_path, model("grok-9"))
    done = update(llmmigrate, genai_json(tmp_path / "new.json", groq=[model("llama")]))
    assert (done.code, "the source has no table of its provider any more" in done.out) == (2, True)
    assert not (tables / "imported" / "groq.yaml").exists()


def test_an_older_version_is_refused(llmmigrate: Run, tmp_path: Path) -> None:
    started(llmmigrate, tmp_path, model("grok-9"))
    done = update(llmmigrate, genai_wheel(tmp_path, "0.9", x_ai=[model("grok-9", 3)]))
    assert (done.code, "genai-prices 0.9 is older than 1.0" in done.err) == (2, True)


@pytest.fixture
def offline_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    return folder


def test_without_a_file_pip_fetches_the_newest(llmmigrate: Run, offline_index: Path, tables: Path) -> None:
    for version in ("1.0", "1.10", "1.9"):
        genai_wheel(offline_index, version, x_ai=[model("grok-9")])
    done = llmmigrate("prices", "update", "--source", "genai-prices")
    assert done.code == 0, done.err
    assert held(tables)["grok-9"]["periods"][0]["source"] == "C: genai-prices 1.10, observed 2026-11-22"


def test_what_pip_cannot_fetch_is_told_with_another_way(llmmigrate: Run, offline_index: Path, tables: Path) -> None:
    done = llmmigrate("prices", "update", "--source", "litellm")
    assert (done.code, done.out, files(tables)) == (2, "", {})
    assert "pip could not download litellm" in done.err
    assert "pip download --no-deps litellm; then add --from FILE" in done.err


def test_a_fetched_wheel_that_is_no_price_data_is_told_by_its_name(llmmigrate: Run, offline_index: Path) -> None:
    wheel(offline_index, "genai_prices", "9", {"genai_prices/data.py": "x = 1"})
    done = llmmigrate("prices", "update", "--source", "genai-prices")
    lines = done.err.splitlines()
    assert (done.code, done.out) == (2, "")
    assert "genai_prices-9-py3-none-any.whl, as pip fetched it" in done.err
    assert [line for line in lines if "-->" in line or "/genai_prices-9" in line] == []


def _truncated(folder: Path) -> Path:
    path = genai_wheel(folder, "1.1", x_ai=[model("grok-9", 3)])
    path.write_bytes(path.read_bytes()[:-40])
    return path


def _flipped(folder: Path) -> Path:
    path = genai_wheel(folder, "1.1", x_ai=[model(f"grok-{number}", 3) for number in range(40)])
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(bytes(data))
    return path


def _text(name: str, text: str) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return made


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (_truncated, "the wheel is damaged"),
        (_flipped, "the wheel is damaged"),
        (lambda folder: wheel(folder, "other", "1.0", {"other/data.py": ""}), "the wheel has no genai_prices/data.py"),
        (lambda folder: wheel(folder, "genai_prices", "9", {"genai_prices/data.py": "x = 1"}), "no list of providers"),
        (
            lambda folder: wheel(
                folder, "genai_prices", "9", {"genai_prices/data.py": "providers: list = [__import__('os').getcwd()]"}
            ),
            "is no record",
        ),
        (_text("x.json", ""), "error: the file is empty"),
        (_text("x.json", "{"), "error: the file is no JSON"),
        (_text("x.json", '{"data": [{"id": "grok"}]}'), "this is no price data of genai-prices"),
        (_text("x.json", '[{"id": "x-ai", "models": [{"id": "grok-9"}]}]'), "KeyError"),
        (_text("x.json", '[{"id": "x-ai", "models": []}]'), "no price of any provider"),
        (_text("x.json", '[{"id": "nobody", "models": []}]'), "no price of any provider"),
        (
            _text("x.json", '[{"id": "x-ai", "models": [{"id": "g", "match": {}, "prices": {"input_mtok": -2}}]}]'),
            "-2 is not a rate",
        ),
        (
            _text("x.json", '[{"id": "x-ai", "models": [{"id": "g", "match": {}, "prices": {"input_mtok": "NaN"}}]}]'),
            "'NaN' is not a rate",
        ),
        (lambda folder: folder / "absent.whl", "let pip fetch the newest"),
    ],
)
def test_what_is_no_price_data_is_refused_in_words(
    made: Callable[[Path], Path], words: str, llmmigrate: Run, tmp_path: Path, tables: Path
) -> None:
    started(llmmigrate, tmp_path, model("grok-9"))
    before = files(tables)
    done = update(llmmigrate, made(tmp_path))
    assert (done.code, files(tables) == before, done.out) == (2, True, "")
    assert words in done.err
    assert "defect" not in done.err


def test_a_file_kept_by_hand_gets_lines_and_keeps_the_others(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    (tables / "zai.yaml").write_text(BY_HAND)
    source = genai_json(tmp_path / "new.json", zai=[model("glm-9", 1.5, 4), model("glm-10", 3, 9)])
    assert update(llmmigrate, source).code == 0
    lines, kept = (tables / "zai.yaml").read_text().splitlines(), BY_HAND.splitlines()
    assert [line for line in lines if line in kept and line.strip() != "periods:"] == [
        line for line in kept if line.strip() != "periods:"
    ]
    added = [line for line in lines if line not in kept]
    assert added[:3] == [
        "      - from: 2026-11-20",
        '        per_mtok: {input: "1.5", output: "4"}',
        '        tiers: {batch: {times: {input: "0.5", output: "0.5"}}}',
    ]
    assert '  - id: "glm-10"' in added
    assert llmmigrate("prices", "validate", "pricing/zai.yaml").code == 0
    assert json.loads((tables / "closed.json").read_text()).keys() == {"zai/glm-9@2026-01-01"}


def test_what_a_source_does_not_say_is_no_difference(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    (tables / "zai.yaml").write_text(BY_HAND)
    assert update(llmmigrate, genai_json(tmp_path / "new.json", zai=[model("glm-nine", 1, 4)])).code == 0
    assert (tables / "zai.yaml").read_text() == BY_HAND


def test_a_price_by_the_clock_is_left_to_people(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    rows = 'rows: [{when: {clock: {tz: UTC, hours: ["01:00-04:00"]}}, per_mtok: {input: "2", output: "8"}}]'
    (tables / "zai.yaml").write_text(BY_HAND.replace("        tiers:", f"        {rows}\n        tiers:"))
    before = files(tables)
    done = update(llmmigrate, genai_json(tmp_path / "new.json", zai=[model("glm-9", 1.5, 4)]))
    assert (done.code, files(tables) == before) == (0, True)
    assert "depends on the clock" in done.out


def test_libraries_do_not_overrule_each_other(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    started(llmmigrate, tmp_path, model("grok-9"))
    said = {"litellm_provider": "xai", "mode": "chat", "input_cost_per_token": 3e-06, "output_cost_per_token": 8e-06}
    done = update(llmmigrate, litellm_wheel(tmp_path, "1.0", {"xai/grok-9": said, "xai/grok-10": said}), name="litellm")
    assert (done.code, "kept by genai-prices: x-ai/grok-9" in done.out) == (0, True)
    assert {name: len(each["periods"]) for name, each in held(tables).items()} == {"grok-9": 1, "grok-10": 1}


def test_a_user_of_the_wheel_gets_a_folder_of_his_own(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    (tables / "imported").rmdir()
    tables.rmdir()
    source = genai_json(tmp_path / "new.json", zai=[model("glm-5", 2, 6.4)])
    done = update(llmmigrate, source, "2026-11-22", "--provider", "zai")
    assert (done.code, "prices: [pricing]" in done.out) == (0, True)
    assert sorted(path.name for path in tables.iterdir()) == ["CHANGES.md", "zai.yaml"]
    Path("llmmigrate.yaml").write_text("prices: [pricing]\n")
    days = {day: llmmigrate("prices", "show", "zai/glm-5", "--at", day).out for day in ("2026-11-21", "2026-11-22")}
    assert ["1.00 input" in days["2026-11-21"], "2.00 input" in days["2026-11-22"]] == [True, True]
    assert llmmigrate("prices", "validate").code == 0
    again = update(llmmigrate, source, "2026-11-22", "--provider", "zai")
    assert ("0 models changed" in again.out, "llmmigrate.yaml" in again.out) == (True, False)


def test_a_model_that_is_resold_is_not_listed_as_its_seller_s_own(
    llmmigrate: Run, tmp_path: Path, tables: Path
) -> None:
    text = BY_HAND.replace("currency: USD", "currency: USD\nbare_names: true")
    (tables / "zai.yaml").write_text(text)
    (tables / "google.yaml").write_text(text.replace("zai", "google").replace("glm-", "gemini-"))
    resold = [model("gemini-9", 1, 4), model("glm-10"), model("gemini-10"), model("ft:gemini-9")]
    source = genai_json(tmp_path / "x.json", google=resold, zai=[model("glm-9", 1, 4), model("glm-10")])
    told = json.loads(update(llmmigrate, source, SECOND, "--dry-run", "--format", "json").out)
    assert [each["model"] for each in told["added"]] == ["google/gemini-10", "zai/glm-10"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--source", "genai-price"], "did you mean 'genai-prices'?"),
        (["--source", "litellm", "--observed", "2026-11-31"], "--observed '2026-11-31' is no day"),
        (["--source", "litellm", "--observed", "2026-12-31"], "is in the future"),
        (["--source", "litellm", "--provider", "opnai", "--tables", "new"], "did you mean 'openai'?"),
        (["--source", "litellm", "--tables", "a/b/c"], "there is no folder a/b"),
        (["--source", "litellm", "--tables", "file"], "file is no folder"),
        ([], "missing option '--source'"),
    ],
)
def test_a_wrong_command_line_is_told_before_anything_is_fetched(
    arguments: list[str], words: str, llmmigrate: Run
) -> None:
    Path("file").write_text("")
    done = llmmigrate("prices", "update", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


@pytest.mark.parametrize("words", [["--source", "FILE"], ["--source", "NAME", "--from-wheel", "FILE"]])
@pytest.mark.parametrize("name", ["genai-prices", "litellm"])
@pytest.mark.parametrize("kind", ["wheel", "json"])
def test_a_file_may_be_the_source(llmmigrate: Run, tmp_path: Path, words: list[str], name: str, kind: str) -> None:
    listed = {"xai/grok-9": {"litellm_provider": "xai", "mode": "chat", "input_cost_per_token": 2e-06,
                             "output_cost_per_token": 8e-06}}  # fmt: skip
    if kind == "json":
        source = genai_json(tmp_path / "p.json", x_ai=[model("grok-9")])
        source = source if name == "genai-prices" else tmp_path / "l.json"
        if name == "litellm":
            source.write_text(json.dumps(listed))
    else:
        source = genai_wheel(tmp_path, "1.0", x_ai=[model("grok-9")])
        source = source if name == "genai-prices" else litellm_wheel(tmp_path, "1.0", listed)
    given = [{"FILE": str(source), "NAME": name}.get(word, word) for word in words]
    done = llmmigrate("prices", "update", *given, "--dry-run", "--format", "json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["source"], [each["model"] for each in told["added"]]) == (name, ["x-ai/grok-9"])


DAMAGED = "  fix: download it again"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["error: the file is empty", "  --> p.json", DAMAGED]),
        ("\n", ["error: the file is empty", "  --> p.json", DAMAGED]),
        ('{"a":', ["error: the file is no JSON", "  --> p.json", "  why: Expecting value: line 1 column 6 (char 5)",
                  DAMAGED]),
        ("PK and no wheel", ["error: the wheel is damaged", "  --> p.json", "  why: File is not a zip file", DAMAGED]),
        (None, ["error: cannot read p.json: No such file or directory", "  --> p.json",
                "  fix: check the path, or name a source, whose newest pip fetches: genai-prices or litellm"]),
    ],
)  # fmt: skip
def test_a_broken_file_is_told_once_and_of_no_source(llmmigrate: Run, text: str | None, lines: list[str]) -> None:
    if text is not None:
        Path("p.json").write_text(text)
    done = llmmigrate("prices", "update", "--source", "p.json")
    assert (done.code, done.out, done.err.splitlines()) == (2, "", lines)


def test_one_reason_of_two_sources_is_told_once(llmmigrate: Run) -> None:
    Path("p.json").write_text("{}")
    done = llmmigrate("prices", "update", "--source", "p.json")
    assert done.err.count("it has no price of any provider that is known here") == 1
    assert done.err.splitlines()[-1] == "  fix: name a file of genai-prices or litellm"


def test_a_file_is_read_once_and_parsed_once_by_each_source(
    llmmigrate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = genai_json(tmp_path / "p.json", x_ai=[model("grok-9")])
    seen: list[str] = []
    for library in (genai_prices, litellm):
        monkeypatch.setattr(library, "parse", partial(_noted, seen, library.__name__, library.parse))
    monkeypatch.setattr(Path, "read_bytes", _noting_reads(seen, Path.read_bytes))
    assert llmmigrate("prices", "update", "--source", str(source), "--dry-run").code == 0
    assert seen.count(str(source)) == 1
    assert [name for name in seen if name.startswith("llmmigrate")] == [genai_prices.__name__, litellm.__name__]


def _noted(seen: list[str], name: str, parse: Callable[..., Any], data: bytes, *, code: bool) -> Any:
    seen.append(name)
    return parse(data, code=code)


def _noting_reads(seen: list[str], read: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    def noted(path: Path) -> bytes:
        seen.append(str(path))
        return read(path)

    return noted


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        (None, [], "cannot read gone.json"),
        ("{}", [], "is this price data of any source that is known here?"),
        ("[1, 2]", [], "is this price data of any source that is known here?"),
        ("PK and no wheel", [], "the wheel is damaged"),
        ("{}", ["--from", "b.json"], "--source and --from both name a file"),
    ],
)
def test_a_file_of_no_source_is_told(
    llmmigrate: Run, tables: Path, text: str | None, more: list[str], words: str
) -> None:
    if text is not None:
        Path("gone.json").write_text(text)
    done = llmmigrate("prices", "update", "--source", "gone.json", *more)
    assert (done.code, done.out, files(tables)) == (2, "", {})
    assert words in done.err.splitlines()[0]
    assert "unexpected" not in done.err


def test_a_hostile_name_is_text_in_the_changes(llmmigrate: Run, tmp_path: Path, tables: Path) -> None:
    started(llmmigrate, tmp_path, model("<b>|x"))
    assert "&lt;b&gt;\\|x" in (tables / "CHANGES.md").read_text()
