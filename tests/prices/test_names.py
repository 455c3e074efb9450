"""Which model a logged name means, and when it means none."""

import pytest
from tests.prices.conftest import NOW, the_card

from llmmigrate.errors import UnknownNameError
from llmmigrate.prices import EVERY_SIZE, Catalog, Entry, Unpriced, load_catalog

BEDROCK_SONNET = "aws-bedrock/regional.anthropic.claude-sonnet-4-20250514-v1:0"


def meaning(found: Entry | Unpriced) -> str:
    return found.reason if isinstance(found, Unpriced) else f"{found.provider}/{found.id}"


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        ("gpt-4o", "openai/gpt-4o"),
        ("gpt-4o-2024-08-06", "openai/gpt-4o-2024-08-06"),
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("GPT-4O", "openai/gpt-4o"),
        (" gpt-4o ", "openai/gpt-4o"),
        ("gpt-4o:nitro", "openai/gpt-4o"),
        ("openrouter/openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("models/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("gemini/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-20250514"),
        ("anthropic/claude-sonnet-4", "anthropic/claude-sonnet-4-20250514"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", BEDROCK_SONNET),
        ("bedrock/converse/us.anthropic.claude-sonnet-4-20250514-v1:0", BEDROCK_SONNET),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-20250514-v1:0", BEDROCK_SONNET),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
            BEDROCK_SONNET,
        ),
        ("global.anthropic.claude-opus-4-6-v1:0", "aws-bedrock/global.anthropic.claude-opus-4-6-v1:0"),
        ("eu.anthropic.claude-opus-4-6-v1:0", "aws-bedrock/regional.anthropic.claude-opus-4-6-v1:0"),
        ("deepseek/deepseek-chat", "deepseek/deepseek-chat"),
        ("zai-org/GLM-5", "zai/glm-5"),
        ("glm-5", "zai/glm-5"),
        ("o3", "openai/o3"),
        ("gpt-5-mini-2025-08-07", "openai/gpt-5-mini"),
        ("grok-3", "x-ai/grok-3"),
        # not priced
        ("gpt-4o-2024-11-21", "unknown_model"),
        ("glm-5.4", "unknown_model"),
        ("deepseek-ai/DeepSeek-V3", "unknown_model"),
        ("fireworks_ai/accounts/fireworks/models/deepseek-v3", "unknown_model"),
        ("azure/gpt-4o", "unknown_model"),
        ("my-relay/foo-9", "unknown_model"),
        ("my-prod-deployment", "unknown_model"),
        ("anthropic--claude-4.6-opus", "unknown_model"),
        ("o3-pro", "unknown_model"),
        ("llama3:8b", "unknown_model"),
        ("__proto__", "unknown_model"),
        ("constructor", "unknown_model"),
        ("<synthetic>", "unknown_model"),
        ("openrouter/REDACTED", "unknown_model"),
        ("None", "unknown_model"),
        ("", "unknown_model"),
        (None, "unknown_model"),
        ("vertex_ai/claude-sonnet-4@20250514", "no_table_for_provider"),
        (
            "projects/p-1/locations/europe-central2/publishers/google/models/gemini-2.5-flash",
            "no_table_for_provider",
        ),
        ("arn:aws:bedrock:us-east-1:466959819186:application-inference-profile/xyz", "custom_model"),
        ("ft:gpt-4o-2024-08-06:acme::9ABCdef", "custom_model"),
        ("azure/ft:gpt-4o-2024-08-06:acme::9ABCdef", "custom_model"),
        ("z-ai/glm-5:free", "free_route"),
    ],
)
def test_a_name_without_a_provider(logged: str | None, expected: str, catalog: Catalog) -> None:
    assert meaning(catalog.find(None, logged)) == expected


@pytest.mark.parametrize(
    ("provider", "logged", "expected"),
    [
        ("openai", "openai/gpt-4o", "openai/gpt-4o"),
        ("OpenAI", "gpt-4o", "openai/gpt-4o"),
        ("gcp.gemini", "gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("zhipuai", "glm-5", "zhipuai/glm-5"),
        ("openrouter", "openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("holysheep", "o3", "holysheep/o3"),
        ("holysheep", "openai/o3", "holysheep/o3"),
        ("unknown", "o3", "openai/o3"),
        # who bills is never guessed
        ("openai", "deepseek-chat", "unknown_model"),
        ("openai", "azure/gpt-4o", "unknown_model"),
        ("my-proxy", "gpt-4o", "no_table_for_provider"),
        ("vertex_ai", "gemini-2.5-pro", "no_table_for_provider"),
    ],
)
def test_a_name_with_a_provider(provider: str, logged: str, expected: str, catalog: Catalog) -> None:
    assert meaning(catalog.find(provider, logged)) == expected


def test_a_free_route_costs_nothing_where_the_log_says_so(catalog: Catalog) -> None:
    found = catalog.find(None, "z-ai/glm-5:free", logged_cost=0)
    assert isinstance(found, Entry)
    answers = catalog.cards(found, at=None, as_of=NOW, prompt=EVERY_SIZE, output=EVERY_SIZE, tier="standard")
    assert set(the_card(answers).rates.values()) == {0}


def test_a_free_route_with_a_logged_cost_has_no_price(catalog: Catalog) -> None:
    assert meaning(catalog.find(None, "z-ai/glm-5:free", logged_cost=17)) == "free_route"


def test_a_name_that_nobody_lists_comes_with_suggestions(catalog: Catalog) -> None:
    found = catalog.find(None, "glm-5.4")
    assert isinstance(found, Unpriced)
    assert found.nearest[0].startswith("zai/glm-5.")


@pytest.mark.parametrize("alias", ["prod-*", "prod-eu", "acme/prod-eu"])
def test_the_users_alias_names_the_model(alias: str) -> None:
    catalog = load_catalog(aliases={alias: "openai/gpt-4o"}, imported=False)
    assert meaning(catalog.find("acme", "PROD-eu")) == "openai/gpt-4o"


def test_the_users_alias_wins_over_a_table() -> None:
    catalog = load_catalog(aliases={"gpt-4o": "zai/glm-5"}, imported=False)
    assert meaning(catalog.find("openai", "gpt-4o")) == "zai/glm-5"


def test_an_alias_to_an_unknown_model_is_an_error() -> None:
    with pytest.raises(UnknownNameError) as caught:
        load_catalog(aliases={"prod": "zai/glm-55"}, imported=False)
    assert caught.value.fix is not None
    assert "zai/glm-5" in caught.value.fix


def test_every_name_of_a_table_leads_back_to_it(catalog: Catalog) -> None:
    wrong = [
        f"{entry.provider}/{entry.id}"
        for entry in catalog.entries()
        if catalog.find(entry.provider, entry.id) is not entry
        or catalog.find(None, f"{entry.provider}/{entry.id}") is not entry
    ]
    assert wrong == []
