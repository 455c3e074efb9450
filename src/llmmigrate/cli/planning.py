"""What `init --rollout` knows: the settings, the command line, the price tables, a playbook."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llmmigrate.cli.console import Console
from llmmigrate.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from llmmigrate.config import Config
    from llmmigrate.config import Side as ConfigSide
    from llmmigrate.prices import Catalog
    from llmmigrate.rollout.template import Side


def plan_text(origin: str | None, target: str | None, playbook: str | None, console: Console) -> str:
    """The migration.yaml for these sides (provider/model each), else those of the settings, else placeholders."""
    from llmmigrate.cli.options import ConfigOptions, settings
    from llmmigrate.cli.reading import catalog_of
    from llmmigrate.rollout import template

    found = settings(ConfigOptions())
    catalog = catalog_of(found)
    if playbook is not None:
        return _from_playbook(Path(playbook), catalog, console)
    config = found.config
    current = _side(origin, "--from", config.from_, catalog, config) or template.CURRENT
    there = _side(target, "--to", config.to, catalog, config) or template.TARGET
    renamed = _renamed(origin or _named(config.from_), target or _named(config.to), config.map)
    known = template.Known(current=current, target=there._replace(models=renamed or there.models))
    return template.text(known)


def _from_playbook(path: Path, catalog: "Catalog", console: Console) -> str:
    from llmmigrate.rollout import playbook, template
    from llmmigrate.rollout.plan import FILE_NAME, parse

    def find(name: str) -> "Side | None":
        known = catalog.tables.get(name.lower().replace(" ", ""))
        if known is not None and known.api is not None:
            return template.Side(known.api.base_url, known.api.api_key_env)
        return template.EMERGENCY if "local" in name.lower() else None

    found = playbook.read(path, find)
    for key in found.ignored:
        console.warn(f"not taken over from {path}: {key}")
    text = template.text(found.known)
    try:
        parse(text, FILE_NAME)
    except ConfigError as error:
        what = f"no plan can be made of {path}: {error.what}"
        raise ConfigError(what, why=error.why, fix=error.fix, code=error.code) from None
    return text


def _side(
    given: str | None, option: str, settings: "ConfigSide | None", catalog: "Catalog", config: "Config"
) -> "Side | None":
    """A provider's endpoint: what the settings say of the side, of the provider, then what the price tables know."""
    from llmmigrate.rollout.template import Side

    provider, _, model = (given or _named(settings) or "/").partition("/")
    if not provider or not model:
        if given is not None:
            raise UsageError(f"'{given}' is no provider/model", fix=f"write {option} openai/o3")
        return None
    side = settings if given is None else None
    configured = config.providers.get(provider)
    table = catalog.tables.get(provider)
    api = table.api if table is not None else None
    urls = [side and side.base_url, configured and configured.base_url, api and api.base_url]
    keys = [side and side.api_key_env, configured and configured.api_key_env, api and api.api_key_env]
    url = next((text for text in urls if text), None)
    key = next((text for text in keys if text), f"{provider.upper().replace('-', '_')}_API_KEY")
    entry = table.entries.get(model) if table is not None else None
    context = entry.context_window if entry is not None else None
    return Side(url or f"https://{provider}.example/v1", key, context, placeholder=url is None)


def _named(side: "ConfigSide | None") -> str | None:
    return f"{side.provider}/{side.model}" if side is not None and side.provider and side.model else None


def _renamed(origin: str | None, target: str | None, mapped: Mapping[str, str]) -> dict[str, str]:
    """Callers' model names → the target's; models that stay under their own name are left out."""
    pairs = {name: there.rpartition("/")[2] for name, there in mapped.items() if there != "keep"}
    if origin and target and not pairs:
        pairs = {origin.partition("/")[2]: target.partition("/")[2]}
    return {name: there for name, there in pairs.items() if name != there}
