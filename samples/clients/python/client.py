"""Asks a model a few times, whole and streamed in turn: where to is decided by the environment alone.

OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=… LLM_MODEL=o3 python client.py 10
"""

import json
import os
import sys
import time
from typing import Any

from openai import APIError, OpenAI

CUT_LIMIT = 3
"""How often a stream that was cut is asked for again."""


def whole(client: OpenAI, model: str) -> str:
    """The text of an answer that comes in one piece."""
    answer: Any = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Say hello."}])
    return str(answer.choices[0].message.content or "")


def streamed(client: OpenAI, model: str) -> str:
    """The text of an answer that comes in pieces. APIError where it ends without its last piece."""
    pieces, finished = [], False
    create: Any = client.chat.completions.create
    for chunk in create(model=model, messages=[{"role": "user", "content": "Say hello."}], stream=True):
        pieces.append(chunk.choices[0].delta.content or "")
        finished = finished or chunk.choices[0].finish_reason is not None
    if not finished:
        raise ConnectionError("the stream was cut")
    return "".join(pieces)


def repeated(client: OpenAI, model: str) -> str:
    """A streamed answer, asked for again where it was cut: no gateway can do that."""
    for _ in range(CUT_LIMIT - 1):
        try:
            return streamed(client, model)
        except (APIError, ConnectionError):
            continue
    return streamed(client, model)


def main(count: int) -> None:
    """Send `count` requests and print what came."""
    client = OpenAI()
    model = os.environ["LLM_MODEL"]
    for number in range(count):
        ask = repeated if number % 2 else whole
        print(json.dumps({"number": number, "streamed": bool(number % 2), "text": ask(client, model)}), flush=True)
        time.sleep(0.05)


if __name__ == "__main__":
    main(int(sys.argv[1]))
