"""From a name such as `openai/o3` to the endpoint that serves it: tables, settings, inline settings, environment."""

import os
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from llmmigrate.errors import UnknownNameError, UsageError, unknown_name
from llmmigrate.hosts import leads_to_loopback

if TYPE_CHECKING:
    from llmmigrate.config import HardwarePrice, Provider, Settings, Side
    from llmmigrate.endpoints.exchange import Endpoint
    from llmmigrate.prices import Catalog

DEFAULT_CONCURRENCY: Final = 8


class Served(NamedTuple):
    """An endpoint, and how its use is paid where not by the token."""

    endpoint: "Endpoint"
    price: 'Literal["zero"] | HardwarePrice | None'


def served(
    name: str | None,
    side: "Side | None",
    settings: "Settings",
    catalog: "Catalog",
    *,
    option: str,
    with_key: bool = True,
) -> Served:
    """The endpoint of `provider/model`, or of a side of the settings where `name` is None.

    `with_key` False leaves the secret out, for what sends nothing. UsageError when something is missing: it names the
    option and what to add.
    """
    provider, model = _names(name, side, catalog, option)
    told = _told(provider, side if name is None or name == _written(side) else None, settings, catalog)
    if told.base_url is None:
        raise UsageError(
            f"{option}: no address is known for the provider '{provider}'",
            fix=f'add to llmmigrate.yaml: providers: {{{provider}: {{base_url: "https://…/v1", api_key_env: …}}}}',
        )
    return Served(_endpoint(provider, model, told, with_key), told.price)


def _endpoint(provider: str, model: str, told: "Provider", with_key: bool) -> "Endpoint":
    from llmmigrate.endpoints.exchange import Endpoint

    return Endpoint(
        provider=provider,
        model=model,
        base_url=str(told.base_url).rstrip("/"),
        dialect=told.dialect or "openai-chat",
        key=_key(provider, told) if with_key else None,
        key_env=told.api_key_env,
        rpm=told.rpm,
        tpm=told.tpm,
        concurrency=told.concurrency or DEFAULT_CONCURRENCY,
    )


def _written(side: "Side | None") -> str | None:
    if side is None or side.model is None:
        return None
    return f"{side.provider}/{side.model}" if side.provider else side.model


def _names(name: str | None, side: "Side | None", catalog: "Catalog", option: str) -> tuple[str, str]:
    """Provider and model; a bare model is looked up in the price tables."""
    from llmmigrate.prices import Unpriced

    written = name or _written(side)
    if written is None:
        raise UsageError(f"{option} is missing", fix=f"add {option} PROVIDER/MODEL, or write it into llmmigrate.yaml")
    provider, slash, model = written.partition("/")
    if slash and provider and model:
        return provider, model
    entry = catalog.find(None, written)
    if isinstance(entry, Unpriced):
        raise UsageError(f"{option} '{written}' does not say who serves it", fix=f"write {option} PROVIDER/{written}")
    return entry.provider, written


def _told(provider: str, side: "Side | None", settings: "Settings", catalog: "Catalog") -> "Provider":
    """What is known of a provider's endpoint: the side's own settings over the provider's over the table's."""
    from llmmigrate.config import Provider

    table = catalog.tables.get(provider)
    own = settings.config.providers.get(provider)
    if table is None and own is None and (side is None or side.base_url is None):
        raise _unknown_provider(provider, {*catalog.tables, *settings.config.providers})
    found: dict[str, Any] = {}
    if table is not None and table.api is not None:
        api = table.api
        found = {"base_url": api.base_url, "dialect": api.dialect, "api_key_env": api.api_key_env}
    for told in (own, side):
        if told is None:
            continue
        if told.base_url is not None and told.base_url != found.get("base_url"):
            found.pop("api_key_env", None)  # a vendor's key is not sent to another address
        names = Provider.__struct_fields__
        found.update({name: value for name in names if (value := getattr(told, name)) is not None})
    return Provider(**found)


def _unknown_provider(name: str, known: set[str]) -> UnknownNameError:
    """A slip of the pen has its nearest name; what resembles none may be an endpoint of one's own."""
    error = unknown_name("provider", name, known)
    if error.fix is not None and error.fix.startswith("did you mean"):
        return error
    return UnknownNameError(
        error.what,
        why="neither the price tables nor llmmigrate.yaml have it",
        fix=f"for an endpoint of your own add to llmmigrate.yaml: providers: {{{name}: {{base_url:"
        " http://127.0.0.1:8000/v1, dialect: openai-chat, price: zero}}; `llmmigrate prices list` has the others",
    )


def _key(provider: str, told: "Provider") -> str | None:
    """The secret, from the environment; None where the endpoint asks for none."""
    name = told.api_key_env
    if name is None:
        if leads_to_loopback(str(told.base_url)):
            return None
        raise UsageError(
            f"no variable is named that holds the key of '{provider}'",
            fix=f"add api_key_env to providers.{provider} in llmmigrate.yaml",
        )
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(f"the key of '{provider}' is not set", fix=f"export {name}=…")
    return value
