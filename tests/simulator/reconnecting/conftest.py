"""A world for each transport."""

import pytest

from simulator.transport import TRANSPORTS

from .world import World


@pytest.fixture(params=sorted(TRANSPORTS))
def world(request, nursery):
    """Begins a world with the given outages and server settings; needs `autojump_clock`."""

    async def begin(*outages, **server):
        begun = World(nursery, request.param, outages, server)
        await begun.start()
        return begun

    return begin
