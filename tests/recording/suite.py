"""A test suite as users have them, which calls both SDKs in every way; prints the usage that it saw, a line a call.

Started by the tests as a program of its own.
"""

import asyncio
import json
from typing import Any

import anthropic
import openai

QUESTION: Any = [{"role": "user", "content": "Name a colour, and say my-secret-word."}]
GPT, CLAUDE = "gpt-4o-mini", "claude-sonnet-5"


def say(model: str, tokens_in: int, tokens_out: int) -> None:
    print(json.dumps([model, tokens_in, tokens_out]), flush=True)


def with_openai() -> None:
    client = openai.OpenAI(api_key="sk-not-to-be-seen-anywhere-1234", max_retries=0)
    whole = client.chat.completions.create(model=GPT, messages=QUESTION)
    assert whole.usage is not None
    say(GPT, whole.usage.prompt_tokens, whole.usage.completion_tokens)
    stream = client.chat.completions.create(
        model=GPT,
        messages=QUESTION,
        stream=True,
        stream_options={"include_usage": True},
    )
    for event in stream:
        if event.usage is not None:
            say(GPT, event.usage.prompt_tokens, event.usage.completion_tokens)
    answer = client.responses.create(model=GPT, input="Name a colour.")
    assert answer.usage is not None
    say(GPT, answer.usage.input_tokens, answer.usage.output_tokens)


def with_anthropic() -> None:
    client = anthropic.Anthropic(api_key="sk-ant-not-to-be-seen-anywhere", max_retries=0)
    whole = client.messages.create(model=CLAUDE, max_tokens=50, messages=QUESTION)
    say(CLAUDE, whole.usage.input_tokens, whole.usage.output_tokens)
    with client.messages.stream(model=CLAUDE, max_tokens=50, messages=QUESTION) as stream:
        final = stream.get_final_message()
    say(CLAUDE, final.usage.input_tokens, final.usage.output_tokens)


async def at_once() -> None:
    one = openai.AsyncOpenAI(api_key="sk-not-to-be-seen-anywhere-1234", max_retries=0)
    two = anthropic.AsyncAnthropic(api_key="sk-ant-not-to-be-seen-anywhere", max_retries=0)
    async with one, two:
        asked = [one.chat.completions.create(model=GPT, messages=QUESTION) for _ in range(5)]
        told = [two.messages.create(model=CLAUDE, max_tokens=50, messages=QUESTION) for _ in range(5)]
        for answer in await asyncio.gather(*asked):
            assert answer.usage is not None
            say(GPT, answer.usage.prompt_tokens, answer.usage.completion_tokens)
        for message in await asyncio.gather(*told):
            say(CLAUDE, message.usage.input_tokens, message.usage.output_tokens)


if __name__ == "__main__":
    with_openai()
    with_anthropic()
    asyncio.run(at_once())
