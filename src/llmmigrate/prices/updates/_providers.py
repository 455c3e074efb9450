"""What price sources do not say about the providers that only they list."""

from typing import Final

import msgspec

from llmmigrate.prices.tables import ApiSpec


class Imported(msgspec.Struct, frozen=True):
    """A provider without a table kept by hand."""

    name: str
    prefixes: list[str]
    bare_names: bool = False
    api: ApiSpec | None = None


def _openai(base_url: str, key: str) -> ApiSpec:
    return ApiSpec(base_url, "openai-chat", key)


IMPORTED: Final = {
    "azure": Imported("Microsoft Azure", ["azure", "azure_ai", "azure_openai", "azure-openai", "az.ai.openai"]),
    "aws-bedrock": Imported(
        "AWS Bedrock", ["bedrock", "bedrock_converse", "converse", "aws", "aws.bedrock", "amazon-bedrock"]
    ),
    "mistral": Imported(
        "Mistral",
        ["mistral", "mistralai", "mistral_ai"],
        bare_names=True,
        api=_openai("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    ),
    "groq": Imported("Groq", ["groq"], api=_openai("https://api.groq.com/openai/v1", "GROQ_API_KEY")),
    "together": Imported(
        "Together AI",
        ["together", "together_ai", "togetherai"],
        api=_openai("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    ),
    "fireworks": Imported(
        "Fireworks",
        ["fireworks", "fireworks_ai", "fireworks-ai", "accounts"],
        api=_openai("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    ),
    "x-ai": Imported(
        "X AI", ["x-ai", "xai", "x_ai"], bare_names=True, api=_openai("https://api.x.ai/v1", "XAI_API_KEY")
    ),
    "cohere": Imported(
        "Cohere",
        ["cohere", "cohere_chat"],
        bare_names=True,
        api=_openai("https://api.cohere.ai/compatibility/v1", "CO_API_KEY"),
    ),
    "openrouter": Imported(
        "OpenRouter", ["openrouter"], api=_openai("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY")
    ),
    "perplexity": Imported(
        "Perplexity",
        ["perplexity", "perplexity-ai"],
        bare_names=True,
        api=_openai("https://api.perplexity.ai", "PERPLEXITY_API_KEY"),
    ),
}
"""Provider → what a table of it needs beside prices."""
