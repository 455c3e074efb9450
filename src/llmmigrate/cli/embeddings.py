"""`shadow --embeddings P/M`: who gives the vectors of answers, for the measure that compares by them."""

from typing import TYPE_CHECKING, Final

from llmmigrate.cli.endpoints import served
from llmmigrate.errors import UsageError

if TYPE_CHECKING:
    from llmmigrate.cli.shadow_options import ShadowOptions
    from llmmigrate.config import Settings
    from llmmigrate.prices import Catalog
    from llmmigrate.shadow.sides import Side

MEASURE: Final = "embedding_similarity"


def check_embeddings(options: "ShadowOptions", found: "Settings") -> None:
    """UsageError where vectors are needed and nobody is named who gives them."""
    gates = {*found.config.shadow.gates, *(flag.partition("=")[0].strip() for flag in options.gate)}
    if options.embeddings is None and (MEASURE in options.measure or MEASURE in gates):
        raise UsageError(
            f"{MEASURE} needs vectors of the answers",
            fix="add --embeddings PROVIDER/MODEL, an endpoint that serves /v1/embeddings",
        )


def embeddings_side(
    options: "ShadowOptions", found: "Settings", catalog: "Catalog", now: int, *, with_key: bool
) -> "Side | None":
    """Who gives the vectors, found as the sides are; `now` in epoch seconds prices its requests. None without any."""
    from llmmigrate.shadow.paying import Till
    from llmmigrate.shadow.sides import Side
    from llmmigrate.shadow.vectors import no_chat

    if options.embeddings is None:
        return None
    at = served(options.embeddings, None, found, catalog, option="--embeddings", with_key=with_key)
    endpoint = at.endpoint
    till = Till(catalog, endpoint.provider, endpoint.model, now=now, price=at.price)
    return Side(name="embeddings", endpoint=endpoint, till=till, translate=no_chat)
