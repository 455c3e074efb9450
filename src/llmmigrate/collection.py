"""The search for cyclic garbage, kept away from where very many objects are made and none of them is garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected(*, kept: bool = False) -> Iterator[None]:
    """No search inside: among so many objects it takes longer than making them.

    `kept`: what was made stays to the end of the program as a rule, so later searches pass it by, too. It is freed all
    the same when nothing refers to it any more, unless it is part of a cycle.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if kept:
            gc.freeze()
        if collecting:
            gc.enable()
