"""Run by hatchling when a wheel is built or installed for editing: price tables and the scanner are compiled."""

import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """What hatchling looks for."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write `pricing/compiled.json` and the scanner's library, before the files of the wheel are gathered."""
        root = Path(self.root)
        sys.path.insert(0, str(root / "src"))
        from llmmigrate.logs import native
        from llmmigrate.prices import compiled, table_paths

        compiled.write(root / "pricing", table_paths(root / "pricing", imported=False))
        if not native.build():
            self.app.display_warning("no C compiler: logs are read the slower way, with the same result")
        elif version != "editable":
            build_data["artifacts"].append(native.LIBRARY.relative_to(root).as_posix())
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"


def _platform() -> str:
    """The platform as names of wheels have it (PEP 425); the library asks nothing of Python."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
