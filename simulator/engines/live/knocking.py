"""Is anybody there? One client goes ahead of the herd, and what it meets is said in one line."""

from collections.abc import Sequence

import trio

from server_stub.wire import Identity
from simulator.core.outcomes import Outcome
from simulator.engines.live.way import Way
from simulator.errors import TargetError
from simulator.target import Target
from simulator.transport.seam import NORMAL_CLOSURE, AttemptFailedError, ConnectionLostError

_PATIENCE = 10.0
"""Seconds that a server gets to let somebody in."""
_SCOUT = Identity(client=0, episode=0, attempt=0)
"""No client of the herd: their attempts count from 1."""


def first_open(target: Target, ways: Sequence[Way], transport: str) -> Way:
    """The first of several ways to a server on which it lets a client in.

    Args:
        target: The server.
        ways: One per address of its name.
        transport: Name of the transport to connect with.

    Raises:
        TargetError: There is none, or the server answers but not as a WebSocket server should.
    """
    failures: list[AttemptFailedError] = []
    for way in ways:
        failure = trio.run(_knock, way, transport)
        if failure is None:
            return way
        failures.append(failure)
    answers = [failure for failure in failures if failure.outcome is not Outcome.REFUSED]
    if answers:
        why = f"a first client was not let in ({answers[0]})"
    else:
        where = " and ".join(way.addresses[0][0] for way in ways)
        why = f"nobody listens at {where}, port {target.port}; start it first"
    raise TargetError([f"--target = {target.label}: {why}"])


async def _knock(way: Way, transport: str) -> AttemptFailedError | None:
    """Connect once, and say goodbye; why that failed, None if it did not."""
    ((dial, *_), *_) = way.dials()
    connecting = way.transport(transport)(dial, way.host).connect(way.path_of(_SCOUT))
    with trio.move_on_after(_PATIENCE) as waiting:
        try:
            async with connecting as connection:
                await connection.close(NORMAL_CLOSURE)
        except ConnectionLostError:
            pass  # It was let in, which is what matters.
        except AttemptFailedError as error:
            return error
    if waiting.cancelled_caught:
        return AttemptFailedError(Outcome.TIMED_OUT, f"no answer within {_PATIENCE:g} s")
    return None
