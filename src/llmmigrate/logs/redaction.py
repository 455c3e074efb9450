r"""Personal data and secrets in texts, replaced by what they are: `[email]`, `[key]`, `[card]`, `[phone]`, `[ip]`.

A few patterns that are quick, and broad rather than exact: a number that only looks like a card is replaced as well.
What they cannot know stays: names, addresses, birthdays, customer numbers, phone numbers without a country code in
other than North American form, secrets without a known shape, anything that is encoded or spelled out. Whoever needs
more keeps no text (`--store hashes`). Texts are redacted for storing and showing; measures see them as they came.
"""

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

Replace = Callable[[re.Match[str]], str]
View = Literal["text", "words", "digits"]
"""The text in small letters; its runs of letters, digits and `+/_-` that are long enough for a key; or its digits as 0,
all else as x, without what may stand between the digits of one number."""

_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.DOTALL
)
_SHAPED_KEY: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, DeepSeek, OpenRouter
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS
    r"|AIza[A-Za-z0-9_-]{35}"  # Google
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[a-z]-[A-Za-z0-9-]{10,}"  # Slack
    r"|(?:hf|gsk|npm|pypi)[_-][A-Za-z0-9_-]{24,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # JSON Web Token
    r")"
)
_BEARER: Final = re.compile(r"\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_NAMED_SECRET: Final = re.compile(
    r"((?:api[_ -]?key|secret(?:[_ -]?(?:key|access[_ -]?key))?|access[_ -]?token|auth[_ -]?token|client[_ -]?secret"
    r"|passw(?:or)?d|pwd)[\"']?\s{0,3}[:=]\s{0,3}[\"']?)[^\s\"',;&<>]{4,}",
    re.IGNORECASE,
)
_EMAIL: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_CARD: Final = re.compile(r"\d(?<![\w.]\d)(?:[ -]?\d){12,18}(?!\w)")
_PHONE: Final = re.compile(
    r"[+(\d](?<![\w+].)(?:"
    r"(?<=\+)\d(?:[ ().\-/]{0,2}\d){6,14}"  # with a country code
    r"|(?<=0)0[1-9](?:[ ().\-/]{0,2}\d){8,13}"
    r"|(?<=1)[ .-](?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}"  # North American
    r"|(?<=\()\d{3}\) ?\d{3}[ .-]\d{4}"
    r"|(?<=\d)\d{2}[ .-]\d{3}[ .-]\d{4}"
    r")(?!\w)"
)
_IPV4: Final = re.compile(r"\d(?<![\w.]\d)\d{0,2}(?:\.\d{1,3}){3}(?!\w|\.\d)")
_IPV6: Final = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,15}(?![\w:])")
_DATA: Final = re.compile(r"data:([\w.+/-]{0,60})((?:;[\w=.-]{0,40}){0,3});base64,[A-Za-z0-9+/=_-]{64,}")
_NAME_LENGTH: Final = 32
"""Letters that most names have at most."""
_ENCODED_LENGTH: Final = 512
_ENCODED: Final = re.compile(rf"[A-Za-z0-9+/_-]{{{_ENCODED_LENGTH},}}={{0,2}}")
"""A picture or a file, which may show anybody; no key or word is that long."""


def redacted(value: Any) -> Any:
    """A JSON value with all its texts redacted, keys included; whole numbers that are a card's number, too.

    Its shape stays, but for keys that become equal: these keep apart by a number behind (`[email]`, `[email] 2`).
    """
    match value:
        case str():
            return redacted_text(value)
        case dict():
            return _redacted_object(value)
        case list() | tuple():
            return [redacted(item) for item in value]
        case int() if not isinstance(value, bool) and _is_card(str(value)):
            return "[card]"
    return value


def redacted_text(text: str) -> str:
    """A text with what looks like personal data or a secret replaced. Redacting it again changes nothing."""
    return _redacted_name(text) if len(text) <= _NAME_LENGTH else _redacted(text)


@lru_cache(maxsize=1024)
def _redacted_name(text: str) -> str:
    """A short text: names of a JSON object, of roles and models, which come again and again."""
    return text if text.isalpha() else _redacted(text)


def _redacted(text: str) -> str:
    views = _views(text)
    for rule in _RULES:
        view = views[rule.view]
        if any(hint in view for hint in rule.hints) and (rule.look is None or rule.look.search(view)):
            text = rule.pattern.sub(rule.replace, text)
    return text


def _views(text: str) -> dict[View, str]:
    """What the cheap questions are put to."""
    lower = text.lower()
    data = lower.encode("utf-8", "surrogatepass")
    long = [word for word in data.translate(_AS_WORDS).split() if len(word) >= _SHORTEST_KEY]
    digits = data.translate(_AS_DIGITS, _BETWEEN_DIGITS)
    return {"text": lower, "words": b" ".join(long).decode("ascii"), "digits": digits.decode("ascii")}


def _redacted_object(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in value.items():
        name = shown = redacted_text(key)
        count = 1
        while name in found:
            count += 1
            name = f"{shown} {count}"
        found[name] = redacted(item)
    return found


def _mark(what: str) -> Replace:
    return lambda match: f"[{what}]"


def _card(match: re.Match[str]) -> str:
    return "[card]" if _is_card(match.group()) else match.group()


def _is_card(text: str) -> bool:
    """Whether this is a number of 13 to 19 digits with the check digit of payment cards (Luhn, ISO/IEC 7812-1)."""
    digits = [int(sign) for sign in text if sign.isdecimal()]
    if not 13 <= len(digits) <= 19 or not any(digits):
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _address(match: re.Match[str]) -> str:
    """An address of four numbers or of hexadecimal groups; a time or a `::` between words is none."""
    text = match.group().rstrip(".")
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return match.group()
    is_word = text.count(":") < 3 and not any(sign.isdecimal() for sign in text)  # as in `a::b` of many languages
    return match.group() if is_word else "[ip]" + match.group()[len(text) :]


class _Rule(NamedTuple):
    """A pattern and what takes its place.

    Most texts hold nothing to redact, so cheap questions to a view of the text come first: does it contain one of the
    `hints`, and is there a match of `look`? Whatever the pattern matches answers both with yes.
    """

    pattern: re.Pattern[str]
    replace: Replace
    hints: tuple[str, ...] = ("",)
    look: re.Pattern[str] | None = None
    view: View = "text"


_SHORTEST_KEY: Final = 11
"""Letters in a row: the head of a JSON Web Token."""
_BETWEEN_DIGITS: Final = b" ().-/+"
_AS_DIGITS: Final = bytes(ord("0") if chr(code).isdecimal() or code >= 128 else ord("x") for code in range(256))
"""Bytes of other scripts count as digits: some are."""
_AS_WORDS: Final = bytes(
    code if (chr(code).isalnum() and code < 128) or chr(code) in "+/_-" else 32 for code in range(256)
)
_KEY_HINTS: Final = (
    "sk-", "k_live_", "k_test_", "akia", "asia", "aiza", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
    "glpat-", "xox", "hf_", "hf-", "gsk_", "gsk-", "npm_", "npm-", "pypi_", "pypi-", "eyj",
)  # fmt: skip
_RULES: Final = (
    _Rule(_DATA, lambda match: f"[data {match[1]}]", ("base64,",)),
    _Rule(_PRIVATE_KEY, _mark("key"), ("private key-----",)),
    _Rule(_SHAPED_KEY, _mark("key"), _KEY_HINTS, view="words"),
    _Rule(_BEARER, lambda match: f"{match[1]}{match[2]}[key]", ("bearer", "basic")),
    _Rule(
        _NAMED_SECRET,
        lambda match: f"{match[1]}[key]",
        ("key", "secret", "token", "passw", "pwd"),
        re.compile(r"(?:key|secret|token|passwo?r?d|pwd)[\"']?\s{0,3}[:=]"),
    ),
    _Rule(_ENCODED, _mark("data"), look=re.compile(f"[^ ]{{{_ENCODED_LENGTH}}}"), view="words"),
    _Rule(_EMAIL, _mark("email"), ("@",)),
    _Rule(_IPV6, _address, (":",), re.compile(":[0-9a-f]{0,4}:")),
    _Rule(_IPV4, _address, (".",), re.compile(r"\.\d{1,3}\.\d")),
    _Rule(_CARD, _card, ("0" * 13,), view="digits"),
    _Rule(_PHONE, _mark("phone"), ("0" * 7,), view="digits"),
)
"""In this order: a key may hold what looks like a number, and a card looks like a phone."""
