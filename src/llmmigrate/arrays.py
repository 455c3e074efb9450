"""numpy; in the command line's process without threads for linear algebra: `from llmmigrate.arrays import np`.

Commands do no linear algebra to speak of, and starting a pool of threads for it costs more CPU than reading 1,000 lines
of a log: they spin while they wait for work. A notebook keeps its threads, a number that the user has set
(`OPENBLAS_NUM_THREADS`) stays, and programs that are started later see nothing of it.
"""

import os
import sys
from typing import Final

_THREADS: Final = "OPENBLAS_NUM_THREADS"
_ours: Final = "llmmigrate.cli" in sys.modules and _THREADS not in os.environ
if _ours:
    os.environ[_THREADS] = "1"  # read once, while the library is loaded
try:
    import numpy as np
    import numpy.typing as npt
finally:
    if _ours:
        del os.environ[_THREADS]

__all__ = ["np", "npt"]
