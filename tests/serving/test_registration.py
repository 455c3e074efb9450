"""That the settings gain a provider `local` and lose nothing."""

from decimal import Decimal
from pathlib import Path

import pytest

from llmmigrate.cli.init import settings_text
from llmmigrate.config import HardwarePrice, load
from llmmigrate.errors import ConfigError
from llmmigrate.serving.registration import Endpoint, check, with_local

PAID = Endpoint(base_url="http://127.0.0.1:8000/v1", needs_key=True, gpu_hour=Decimal("2.60"), gpus=8)
FREE = Endpoint(base_url="http://127.0.0.1:8001/v1", needs_key=False, gpu_hour=None, gpus=1)

FORMS = {
    "empty": "",
    "comments": "# only a comment\n",
    "other keys": "version: 1\nlogs: [a.jsonl]\n",
    "no line end": "version: 1",
    "block": "version: 1\nproviders:\n  # mine\n  openai: {rpm: 600}\nlogs: [a.jsonl]\n",
    "deep block": "providers:\n    openai:\n        rpm: 600\n\nlogs: [a.jsonl]\n",
    "flow": "providers: {openai: {rpm: 600}}\nlogs: [a.jsonl]\n",
    "empty flow": "providers: {}\nlogs: [a.jsonl]\n",
    "empty key": "version: 1\nproviders:\nlogs: [a.jsonl]\n",
    "what init writes": settings_text("openai/o3", "zai/glm-5"),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_the_provider_is_added_and_the_rest_stays(text: str, tmp_path: Path) -> None:
    path = tmp_path / "llmmigrate.yaml"
    path.write_text(text or "version: 1\n")
    before = load(directory=tmp_path).config
    path.write_text(with_local(text, PAID, path="x", replace=False))
    after = load(directory=tmp_path).config
    local = after.providers["local"]
    assert (local.base_url, local.api_key_env, local.dialect) == (PAID.base_url, "LLMMIGRATE_LOCAL_KEY", "openai-chat")
    assert local.price == HardwarePrice(gpu_hour_usd=Decimal("2.60"), gpus=8)
    assert {name: value for name, value in after.providers.items() if name != "local"} == before.providers
    assert after.logs == before.logs
    kept = [line for line in text.splitlines() if line.strip().startswith("#")]
    assert [line for line in kept if line not in path.read_text()] == []


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_adding_it_twice_changes_nothing(text: str) -> None:
    once = with_local(text, PAID, path="x", replace=False)
    assert with_local(once, PAID, path="x", replace=False) == once


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_another_local_is_replaced_only_when_asked(text: str, tmp_path: Path) -> None:
    held = with_local(text, PAID, path="x", replace=False)
    with pytest.raises(ConfigError, match="another provider 'local'"):
        with_local(held, FREE, path="x", replace=False)
    (tmp_path / "llmmigrate.yaml").write_text(with_local(held, FREE, path="x", replace=True))
    local = load(directory=tmp_path).config.providers["local"]
    assert (local.base_url, local.api_key_env, local.price) == (FREE.base_url, None, "zero")


def test_settings_that_would_not_be_read_are_not_written() -> None:
    with pytest.raises(ConfigError, match="unknown key 'provders'"):
        check("provders: {}\n", Path("llmmigrate.yaml"))
