"""CPU of measures and redaction, and of the libraries that were chosen for them (docs/decisions/0009).

    python -m benchmarks.measures

Milliseconds of CPU on this machine: look at the ratios.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from rapidfuzz.distance import Indel

from llmmigrate import registry
from llmmigrate.logs.redaction import redacted, redacted_text
from llmmigrate.shadow.pairs import Answer, Arm, Pair, Sampled
from llmmigrate.shadow.scoring import ROOM, Scorer, measure

PAIRS: Final = 200
SIZES: Final = ((60, 200), (300, 1_500), (1_000, 6_000))
"""Words of an answer, and of a prompt."""
SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_WORDS: Final = [f"word{number}" for number in range(3_000)]


def milliseconds(job: Callable[[], object], times: int = 1) -> float:
    """CPU time of one run of `job`."""
    start = time.process_time()
    for _ in range(times):
        job()
    return (time.process_time() - start) * 1_000 / times


def text(chance: random.Random, words: int) -> str:
    """A text of so many words."""
    return " ".join(chance.choices(_WORDS, k=words))


def pairs(answer: int, prompt: int) -> list[Pair]:
    """Pairs whose four answers all differ, to requests that demand a schema and offer a tool."""
    chance = random.Random(answer)
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    found = []
    for number in range(PAIRS):
        turns = [{"role": "user", "content": text(chance, prompt)}]
        request = {"model": "o3", "messages": turns, "tools": tools, "response_format": form}
        asked = Sampled(
            key=str(number), order=number / PAIRS, place="logs.jsonl:1", request=request, dialect="openai-chat",
            logged=Answer(text=text(chance, answer)), input_tokens=prompt, output_tokens=answer,
        )  # fmt: skip
        arms = [Arm(answer=Answer(text=text(chance, answer))) for _ in range(3)]
        found.append(Pair(asked=asked, current=arms[0], target=arms[1], repeat=arms[2]))
    return found


def per_pair(answer: int, prompt: int) -> str:
    """A line about pairs of one size."""
    sample = pairs(answer, prompt)
    scorer = Scorer(measure(name) for name in registry.names(ROOM) if name != "embedding_similarity")
    scoring = milliseconds(lambda: [scorer.scores(pair) for pair in sample]) / PAIRS
    redacting = milliseconds(lambda: [_redact(pair) for pair in sample]) / PAIRS
    return f"{answer:>6} {prompt:>7} {scoring:>9.2f} {redacting:>10.2f}"


def _redact(pair: Pair) -> tuple[object, list[str]]:
    """What a run stores of a pair."""
    answers = (pair.current.answer, pair.target.answer)
    return redacted(pair.asked.request), [redacted_text(answer.text) for answer in answers if answer is not None]


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """The longest common sequence by the textbook's table."""
    row = [0] * (len(other) + 1)
    for word in one:
        corner = 0
        for index, match in enumerate(other, 1):
            corner, row[index] = row[index], corner + 1 if word == match else max(row[index - 1], row[index])
    return row[-1]


def importing(module: str) -> float:
    """CPU time of a process that imports a module, less one that imports nothing."""
    code = "import time; {}; print(time.process_time())"
    runs = [code.format(f"import {module}"), code.format("pass")]
    found = [min(float(subprocess.check_output([sys.executable, "-c", run])) for _ in range(5)) for run in runs]
    return (found[0] - found[1]) * 1_000


def main() -> None:
    """Print all figures."""
    print("answer  prompt   scoring  redaction   (words, words, ms a pair, ms a pair)")
    for answer, prompt in SIZES:
        print(per_pair(answer, prompt))
    chance = random.Random(1)
    one = chance.choices(_WORDS, k=2_000)
    other = [word if chance.random() < 0.7 else chance.choice(_WORDS) for word in one]
    print(f"common sequence of 2,000 words: rapidfuzz {milliseconds(lambda: Indel.similarity(one, other), 20):.1f} ms,"
          f" table in Python {milliseconds(lambda: common(one, other)):.0f} ms")  # fmt: skip
    print(f"import: jsonschema_rs {importing('jsonschema_rs'):.0f} ms, jsonschema {importing('jsonschema'):.0f} ms")


if __name__ == "__main__":
    main()
