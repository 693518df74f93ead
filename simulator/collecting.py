"""When Python's garbage collector runs, in processes whose lag or speed is measured."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_ALLOCATIONS_PER_COLLECTION = 100_000
"""Instead of 700: a full collection walks over every client of the fleet, and would be lag; and
what a fleet allocates, it keeps until the run is over."""


@contextmanager
def collected_seldom() -> Iterator[None]:
    """Within this context, leave what is there alone and look at what is new less often."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
