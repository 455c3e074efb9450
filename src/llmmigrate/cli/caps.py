"""What a command may spend: the values of --max-cost and --max-tokens-total, and what no cap could hold."""

from decimal import Decimal
from typing import TYPE_CHECKING

from llmmigrate.errors import UsageError

if TYPE_CHECKING:
    from llmmigrate.shadow.sides import Side


def dollars(text: str) -> Decimal:
    """The value of --max-cost."""
    from llmmigrate import quantities

    try:
        return quantities.number(text.removesuffix("USD").strip())
    except ValueError as error:
        raise UsageError(f"--max-cost: {error}", fix="write --max-cost 25") from None


def token_count(text: str | None) -> int | None:
    """The value of --max-tokens-total."""
    from llmmigrate import quantities

    try:
        return None if text is None else quantities.size(text)
    except ValueError as error:
        raise UsageError(f"--max-tokens-total: {error}", fix="write --max-tokens-total 2M") from None


def no_price(side: "Side") -> UsageError:
    """Nothing says what a request costs, and no cap in tokens holds either."""
    unpriced = side.till.unpriced
    return UsageError(
        f"there is no price for {side.endpoint.name}, so no cap could hold",
        why=unpriced.detail if unpriced else "a class of tokens has no rate",
        fix="cap the tokens with --max-tokens-total 2M, or write "
        f"providers.{side.endpoint.provider}.price in llmmigrate.yaml",
    )


def no_limit(endpoint: str) -> UsageError:
    """Nothing says how long a reply may be, so no worst case can be reserved."""
    return UsageError(
        f"nothing limits how long a reply of {endpoint} can be, so no cap could hold",
        why="neither the requests nor the price table say it",
        fix="limit replies with --max-output-tokens 4000",
    )


def too_dear(request: str, worst: Decimal, cap: Decimal) -> UsageError:
    """One request alone may cost more than all are allowed to."""
    return UsageError(
        f"{request} can cost up to {worst.normalize():f} USD, more than --max-cost {cap:f}",
        why="the longest reply that the model can give is reserved where a request sets no limit",
        fix="raise --max-cost; --max-output-tokens limits replies where a request sets no limit",
    )
