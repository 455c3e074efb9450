"""Writes the synthetic logs of this folder: `python -m samples.make_samples [FOLDER]` in the repository root.

Nobody's traffic: every number comes from `traffic.py`, every text is made up. Standard library only.
"""

import sys
from pathlib import Path

from samples.formats import FORMATS
from samples.traffic import Dice, draw_traffic

SEED = 20261115


def write_all(folder: Path) -> None:
    """Write every log into `folder`, each from a seed of its own."""
    for seed, (name, log) in enumerate(FORMATS.items(), SEED):
        dice = Dice(seed)
        lines = log.write(dice, draw_traffic(dice, log.calls, log.routes))
        (folder / name).write_bytes("\n".join(lines).encode())


if __name__ == "__main__":
    write_all(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
