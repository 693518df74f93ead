"""Makes Trio's scheduler repeatable: the one place that knows its private switches.

Trio shuffles the tasks that are ready at one instant, on purpose. For the same run twice, both of
these are needed, and either alone is not enough: the switch that sorts those tasks before they
are shuffled, and the seed of the generator that shuffles them.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from trio._core import _run

from simulator.errors import HerdError


class NotReproducibleError(HerdError):
    """This version of Trio cannot be made to schedule in a repeatable order."""


@contextmanager
def deterministic_scheduling(seed: int) -> Iterator[None]:
    """Within this context, Trio schedules in an order that depends on the seed alone.

    Raises:
        NotReproducibleError: Trio's switches are no longer where they were.
    """
    generator = getattr(_run, "_r", None)
    if not isinstance(generator, random.Random) or not hasattr(
        _run, "_ALLOW_DETERMINISTIC_SCHEDULING"
    ):
        raise NotReproducibleError(
            "this version of trio has no deterministic scheduling; use trio 0.27 to 0.35"
        )
    before = (_run._ALLOW_DETERMINISTIC_SCHEDULING, generator.getstate())
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    generator.seed(seed)
    try:
        yield
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = before[0]  # type: ignore[misc]
        generator.setstate(before[1])
