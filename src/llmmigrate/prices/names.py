"""Logged model names taken apart: who bills, and which spellings of the model to look for.

Nothing here guesses by likeness; a name that no table lists stays unpriced.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

NO_NAME = frozenset({"", "none", "null", "unknown", "redacted", "undefined", "n/a"})
"""What gateways and exports write where the model's name is missing."""

WITHOUT_TABLE: Mapping[str, str] = {
    prefix: provider
    for provider, prefixes in {
        "google-vertex": ("vertex_ai", "vertex_ai_beta", "vertex", "google-vertex", "gcp.vertex_ai"),
        "aws-sagemaker": ("sagemaker", "sagemaker_chat"),
        "cerebras": ("cerebras",),
        "cloudflare": ("cloudflare", "workers-ai"),
        "databricks": ("databricks",),
        "deepinfra": ("deepinfra",),
        "github": ("github", "github_copilot"),
        "huggingface": ("huggingface",),
        "nvidia-nim": ("nvidia_nim",),
        "oci": ("oci",),
        "ollama": ("ollama", "ollama_chat"),
        "replicate": ("replicate",),
        "sambanova": ("sambanova",),
        "vllm": ("hosted_vllm", "vllm"),
        "watsonx": ("watsonx", "watsonx_text"),
    }.items()
    for prefix in prefixes
}
"""Prefixes of providers that bill for themselves and have no table here: never priced as their models' makers."""

FREE = ":free"
_ROUTES = (":nitro", ":floor", ":exacto", ":online", ":extended", ":thinking", ":beta")
"""Suffixes that choose a way to a model, not another model. A size such as `:8b` is none of them."""

_MAKERS = "ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot(?:ai)?|nvidia|openai|qwen|zai"
_BEDROCK = re.compile(rf"(?:(?:us|us-gov|eu|apac|au|ca|jp|sa|global)\.)?(?:{_MAKERS})\.[a-z0-9].*")
_BEDROCK_ARN = re.compile(r"arn:aws[\w-]*:bedrock:.*(?:foundation-model|:inference-profile)/(.+)")
_VERTEX = re.compile(r"projects/[^/]+/locations/[^/]+/publishers/[^/]+/models/(.+)")


class Wanted(NamedTuple):
    """A name taken apart: the provider that it names, if any, and the spellings of the model to try, in order."""

    provider: str | None
    models: tuple[str, ...]


def folded(name: str) -> str:
    """The spelling in which names are compared."""
    return name.strip().casefold()


def is_custom(name: str) -> bool:
    """Whether a folded name means the user's own model (fine-tuned, inference profile), which has its own price."""
    return name.startswith("ft:") or "/ft:" in name or "application-inference-profile/" in name


def take_apart(name: str, prefixes: Mapping[str, str]) -> Wanted:
    """Split the billing prefixes off a folded name; `prefixes` leads to their providers."""
    vertex = _VERTEX.fullmatch(name)
    if vertex:
        return Wanted("google-vertex", (vertex[1],))
    arn = _BEDROCK_ARN.fullmatch(name)
    provider, spellings = _without_prefixes(f"bedrock/{arn[1]}" if arn else name, prefixes)
    if provider is None and _BEDROCK.fullmatch(spellings[-1]):
        provider = "aws-bedrock"
    return Wanted(provider, tuple(dict.fromkeys(_with_plain_routes(spellings))))


def _without_prefixes(name: str, prefixes: Mapping[str, str]) -> tuple[str | None, list[str]]:
    provider, spellings = None, [name]
    while "/" in name:
        head, _, name = name.partition("/")
        named = prefixes.get(head)
        if named is None or provider not in (None, named):
            break
        provider = named
        spellings.append(name)
    return provider, spellings


def _with_plain_routes(spellings: list[str]) -> Iterator[str]:
    yield from spellings
    for spelling in spellings:
        for route in _ROUTES:
            if spelling.endswith(route):
                yield spelling.removesuffix(route)
