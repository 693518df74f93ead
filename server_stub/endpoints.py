"""Which nodes take part when, as far as a balancer knows; a pure function of the schedule.

A node takes part from the moment its process is ready until the balancer has heard that it is
about to go. A node that breaks down is found out by a health check after a while, and found well
again a while after it is. Where every node has failed its check, the balancer trusts the check no
longer and sends to all that take part, as those of large clouds do: with a single node a check
changes nothing.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from server_stub.settings import Seconds, Settings


class HealthCheck(Settings):
    """How a balancer finds out that a node is down."""

    unhealthy_after: Seconds = 2.0
    """Seconds for which a node is down before it gets no more connects."""
    healthy_after: Seconds = 2.0
    """Seconds for which it is back before it gets some again."""


class Stretch(NamedTuple):
    """A node from one instant up to another; seconds after t = 0."""

    node: int
    starts_at: float
    ends_at: float


class Endpoints:
    """The nodes that connects are sent to, by instant."""

    def __init__(self, member: Iterable[Stretch], failing: Iterable[Stretch] = ()) -> None:
        """Lay out the schedule.

        Args:
            member: When nodes take part.
            failing: When nodes fail their check.
        """
        member, failing = tuple(member), tuple(failing)
        ends = {at for stretch in (*member, *failing) for at in stretch[1:]}
        self._changes = sorted({-math.inf} | ends - {math.inf})
        self._nodes = [_taking_part(member, failing, at) for at in self._changes]

    def at(self, instant: float) -> Sequence[int]:
        """The nodes to choose from at an instant, in ascending order; there may be none."""
        return self._nodes[bisect_right(self._changes, instant) - 1]

    @property
    def changes(self) -> Sequence[float]:
        """The instants at which the answer may become another one, in order."""
        return self._changes


def _taking_part(
    member: Sequence[Stretch], failing: Sequence[Stretch], at: float
) -> tuple[int, ...]:
    known, ill = (
        {stretch.node for stretch in stretches if stretch.starts_at <= at < stretch.ends_at}
        for stretches in (member, failing)
    )
    return tuple(sorted(known - ill or known))


def failing_stretch(check: HealthCheck, node: int, starts_at: float, ends_at: float) -> Stretch:
    """For how long a node that is down from one instant to another fails its check.

    Of one that is back before it was found out, for no time.
    """
    noticed_at = starts_at + check.unhealthy_after
    well_at = ends_at + check.healthy_after if noticed_at < ends_at else noticed_at
    return Stretch(node, noticed_at, well_at)
