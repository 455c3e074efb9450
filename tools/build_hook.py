"""Run by hatchling when a wheel is built or installed for editing: the price tables are compiled."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """What hatchling looks for."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write `pricing/compiled.json`, before the files of the wheel are gathered."""
        root = Path(self.root)
        sys.path.insert(0, str(root / "src"))
        from llmmigrate.prices import compiled, table_paths

        compiled.write(root / "pricing", table_paths(root / "pricing", imported=False))
