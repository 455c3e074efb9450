"""Encodings of tiktoken from files: `.tiktoken` rank files, and the pattern that cuts a text before pairs are merged.

A rank file has a token (base64 of its bytes) and its rank in each line, and nothing of the pattern. That of OpenAI's
own encodings is known here; any other stands in a file beside it with the same name and the suffix `.pattern`.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from llmmigrate.errors import InputError, LlmmigrateError, Location

SUFFIX: Final = ".tiktoken"
PATTERN_SUFFIX: Final = ".pattern"
_WORD_END: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K: Final = "|".join(
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _WORD_END,
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _WORD_END,
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
_CL100K: Final = "|".join(
    (
        r"'(?i:[sdmt]|ll|ve|re)",
        r"[^\r\n\p{L}\p{N}]?+\p{L}++",
        r"\p{N}{1,3}+",
        r" ?[^\s\p{L}\p{N}]++[\r\n]*+",
        r"\s++$",
        r"\s*[\r\n]",
        r"\s+(?!\S)",
        r"\s",
    )
)
PATTERNS: Final = {"o200k_base": _O200K, "cl100k_base": _CL100K}
"""As the package tiktoken 0.14.0 has them (tiktoken_ext/openai_public.py, MIT)."""


def load_rank_file(name: str, path: Path) -> Callable[[str], int]:
    """What counts a text's tokens by a rank file; `name` is that of the encoding. InputError for a file that is none.

    Special tokens in a text count as the text that they are: a log holds what somebody wrote.
    """
    try:
        from tiktoken import Encoding
    except ImportError:
        fix = "pip install 'llmmigrate[tokenizers]'"
        raise LlmmigrateError("the package tiktoken is not installed, which reads rank files", fix=fix) from None
    pattern = _pattern(name, path)
    ranks = _ranks(path)
    try:
        made = Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    except ValueError as error:  # the pattern: ranks were looked at before
        raise InputError(f"the pattern of {path} is none", why=str(error)[:200]) from None
    return lambda text: len(made.encode_ordinary(text))


def _pattern(name: str, path: Path) -> str:
    beside = path.with_suffix(PATTERN_SUFFIX)
    if beside.is_file():
        return beside.read_text(encoding="utf-8").rstrip("\n")
    if name in PATTERNS:
        return PATTERNS[name]
    fix = f"write its regular expression into {beside}, or give a tokenizer.json"
    raise InputError(f"how '{name}' cuts a text is not known", why=f"known: {', '.join(PATTERNS)}", fix=fix)


def _ranks(path: Path) -> dict[bytes, int]:
    """Token → rank; every single byte has to be there, so that any text can be counted."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}", why=error.strerror) from None
    ranks = dict(_rank(path, number, line) for number, line in enumerate(lines, 1) if line)
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise InputError(f"{path} is no whole rank file", why=f"no rank for {_words(missing)} of the 256 single bytes")
    if len(set(ranks.values())) < len(ranks):
        raise InputError(f"{path} is no rank file", why="two tokens have the same rank")
    return ranks


def _rank(path: Path, number: int, line: bytes) -> tuple[bytes, int]:
    token, _, rank = line.partition(b" ")
    try:
        return base64.b64decode(token, validate=True), int(rank)
    except (binascii.Error, ValueError):
        why = "a line is base64 of a token, a space and its rank"
        raise InputError("this is no rank file", where=Location(str(path), number), why=why) from None


def _words(missing: Iterable[int]) -> str:
    listed = [f"0x{byte:02x}" for byte in missing]
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
