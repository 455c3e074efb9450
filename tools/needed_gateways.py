"""Whether the gateways are here that every run of continuous integration has to drill: Envoy, nginx and LiteLLM.

python -m tools.needed_gateways         names each with its version; exit code 1 where one is missing or does not run
"""

import sys
from typing import Final

from llmmigrate.errors import GatewayError
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.process import version

NEEDED: Final = ("envoy", "nginx", "litellm")


def main() -> int:
    """Print what is here and what is not; the exit code."""
    return max([_told(name) for name in NEEDED])


def _told(name: str) -> int:
    program = gateway_of(name).PROGRAM
    try:
        found = version(program) if program is not None else "unknown"
    except GatewayError as error:
        print(f"{name} is needed here: {error} ({error.fix})", file=sys.stderr)
        return 1
    if found == "unknown":
        print(f"{name} is needed here: it does not say its version", file=sys.stderr)
        return 1
    print(f"{name} {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
