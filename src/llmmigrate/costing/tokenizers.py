"""How many tokens two tokenizers make of the log's own text.

A tokenizer is a `tokenizer.json` (Hugging Face) or a rank file of tiktoken, given under the name that the price tables
use for it. The text is each call's prompt and reply as far as the log keeps them; what a chat template adds is in
neither count. Nothing is fetched.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from llmmigrate.costing.assumptions import ONE, Ratio
from llmmigrate.costing.rank_files import SUFFIX, load_rank_file
from llmmigrate.errors import InputError, LlmmigrateError
from llmmigrate.statistics.ratios import ratio_of_totals
from llmmigrate.usage.call import Call

MOST_BYTES: Final = 16 << 20
"""Of text that is counted: at about a megabyte a second and tokenizer, half a minute."""
CONFIDENCE: Final = 0.95
DIGITS: Final = 4
Pair = tuple[str, str]
Count = Callable[[str], int]


class TextCounter:
    """Counts the texts of calls with several tokenizers, up to `MOST_BYTES` of them."""

    def __init__(self, files: Mapping[str, str]) -> None:
        """`files`: tokenizer name → path. InputError for a file that is no tokenizer."""
        self._count: dict[str, Count] = {name: load_tokenizer(name, Path(path)) for name, path in files.items()}
        self._rows: dict[str, list[int]] = {name: [] for name in files}
        self._left = MOST_BYTES

    def add(self, call: Call) -> None:
        """Count a call's text, where it has any."""
        written = "\n".join(_texts(call)).encode(errors="replace")  # half a surrogate pair is no text
        if not written or self._left <= 0:
            return
        self._left -= len(written)
        text = written.decode()
        for name, count in self._count.items():
            self._rows[name].append(count(text))

    @property
    def calls(self) -> int:
        """Calls that were counted."""
        return len(next(iter(self._rows.values()), []))

    def ratios(self) -> dict[Pair, Ratio]:
        """For each two tokenizers the ratio of their tokens, with a t interval over the calls; none without text."""
        found: dict[Pair, Ratio] = {}
        for source, before in self._rows.items():
            for target, after in self._rows.items():
                ratio = _ratio(before, after) if source != target else None
                if ratio is not None:
                    found[source, target] = ratio
        return found


def _ratio(before: list[int], after: list[int]) -> Ratio | None:
    """The ratio of the totals; each call weighs as much as it has tokens, so every call's size is one."""
    found = ratio_of_totals(after, before, [1.0] * len(before), CONFIDENCE)
    if found is None:
        return None
    value, low, high = (Decimal(repr(round(part, DIGITS))) for part in (found.value, found.low, found.high))
    return Ratio(low, high, f"counted on the text of {len(before):,} calls of this log", value or ONE, "logged")


def load_tokenizer(name: str, path: Path) -> Count:
    """What counts a text's tokens by a file; InputError for one that is no tokenizer."""
    return load_rank_file(name, path) if path.suffix == SUFFIX else _load_json(path)


def _load_json(path: Path) -> Count:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        fix = "pip install 'llmmigrate[tokenizers]'"
        raise LlmmigrateError("the package tokenizers is not installed, which reads tokenizer.json", fix=fix) from None
    try:
        made: Any = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}", why=error.strerror) from None
    except Exception as error:  # the library raises plain Exception for whatever it cannot read
        raise InputError(f"{path} is no tokenizer.json", why=str(error)[:200]) from None
    return lambda text: len(made.encode(text, add_special_tokens=False))


def _texts(call: Call) -> Iterator[str]:
    """Every text of a call's messages, and its reply."""
    request = call.request or {}
    for name in ("system", "instructions", "messages", "input", "prompt"):
        yield from _strings(request.get(name))
    if call.reply:
        yield call.reply


def _strings(value: Any) -> Iterator[str]:
    """The texts in messages and their parts: contents, not roles, types or addresses."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
    elif isinstance(value, dict):
        for name in ("content", "text"):
            yield from _strings(value.get(name))
