"""The answer object that OpenAI's chat and legacy completions share, with what its imitators add.

Azure adds content filter results, Groq reports the usage of a stream in `x_groq`, DeepSeek counts cache hits,
OpenRouter and Perplexity state a cost.
"""

from typing import Any, Final

from llmmigrate.logs import names, texts
from llmmigrate.logs.draft import Draft
from llmmigrate.logs.formats import flat
from llmmigrate.logs.usage_fields import of_object
from llmmigrate.logs.values import cost, count, instant

OWN_KEYS: Final = frozenset(
    {
        "id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint", "provider",
        "x_groq", "prompt_filter_results", "prompt_logprobs", "obfuscation", "p", "citations", "search_results",
        "nvext", "kv_transfer_params", "error", "timings",
    }
)  # fmt: skip
"""Keys that vendors write; any other was added by who wrote the log."""


def draft(body: dict[str, Any], *, keep_text: bool) -> Draft:
    """The draft of a `chat.completion`, one of its stream chunks, or a `text_completion`."""
    made = Draft()
    choice = texts.first_choice(body)
    message = texts.choice_message(choice)
    made.fields = {
        "start_ns": instant(body.get("created"), made.warnings),
        "request_id": names.text(body.get("id")),
        "model": names.model(body.get("model")),
        "finish_reason": names.tag(choice.get("finish_reason")),
    }
    if "service_tier" in body:
        made.fields["service_tier"] = names.tier(body["service_tier"])
    usage = _usage_object(body)
    if usage is not None:
        _add_usage(made, usage)
    made.replied = bool(message.get("content") or message.get("tool_calls") or choice.get("text"))
    _add_vendor(made, body, choice)
    if body.get("error"):
        made.fields["error"] = names.error(None, body["error"])
    flat.add_context(made, body, OWN_KEYS)
    if keep_text:
        texts.keep(made, None, texts.joined(message.get("content") or choice.get("text")), message.get("tool_calls"))
    return made


def _usage_object(body: dict[str, Any]) -> dict[str, Any] | None:
    usage = body.get("usage")
    if isinstance(usage, dict):
        return usage
    groq = body.get("x_groq")
    usage = groq.get("usage") if isinstance(groq, dict) else None
    return usage if isinstance(usage, dict) else None


def _add_usage(made: Draft, usage: dict[str, Any]) -> None:
    made.usage = of_object(usage, made.warnings)
    if "num_search_queries" in usage:
        made.usage.searches = count(usage["num_search_queries"], made.warnings)
    stated = usage.get("cost")
    if stated is not None:
        amount = stated.get("total_cost") if isinstance(stated, dict) else stated
        made.fields["logged_cost"] = cost(amount, made.warnings)


def _add_vendor(made: Draft, body: dict[str, Any], choice: dict[str, Any]) -> None:
    """Who answered, where the body shows it."""
    if "x_groq" in body:
        made.fields["provider"] = "groq"
    elif "prompt_filter_results" in body or "content_filter_results" in choice:
        made.fields["provider"] = "azure"
    elif "provider" in body:
        openrouter = (made.fields["request_id"] or "").startswith("gen-")
        made.fields["provider"] = "openrouter" if openrouter else names.provider(body["provider"])
