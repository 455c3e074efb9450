"""Whether two answers agree on refusing."""

import re
from typing import Final

from llmmigrate.shadow.measures import Asked
from llmmigrate.shadow.pairs import Answer

NAME: Final = "refusal"
KIND: Final = "agreement"
ABOUT: Final = (
    "Whether both answers refuse or neither does; the endpoint's mark, or an English refusal in the first words."
)

_BEGINNING: Final = 200
"""Characters in which a refusal has to come: a text that quotes one later is none."""
_REFUSAL: Final = re.compile(
    r"(?:(?:(?:i'm|i am|we're|we are) (?:very |so )?(?:sorry|afraid)|sorry|i apologi[sz]e|unfortunately)[,.:]? )?"
    r"(?:but |that )?"
    r"(?:as an ai(?: language)?(?: model| assistant)?,? )?"
    r"(?:i|we)(?: can't| cannot| can not| won't| will not| (?:must )?decline to"
    r"|(?:'m| am|'re| are) (?:unable|not able) to)"
    r"(?: be able to)?(?: \w+)?"
    r" (?:help(?! but)|assist|comply|provide|fulfil|support|create|generate|write|share|discuss|engage|answer|do that)"
)


def agree(asked: Asked, one: Answer, other: Answer) -> float | None:
    """1 where both refuse or neither does, else 0."""
    return 1.0 if refuses(one) == refuses(other) else 0.0


def refuses(answer: Answer) -> bool:
    """Whether an answer refuses: marked by the endpoint, or said in its first words."""
    if answer.refused:
        return True
    if answer.tool_calls:
        return False
    beginning = " ".join(answer.text[:_BEGINNING].casefold().replace("’", "'").split())
    return _REFUSAL.match(beginning) is not None
