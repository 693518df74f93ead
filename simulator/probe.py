"""A sign of life from the network: the health probe of a client's network monitor."""

import errno

import trio

from simulator.surroundings import Probe
from simulator.transport.seam import Dial

_NO_NETWORK = {errno.ETIMEDOUT, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}
"""The errors of a dial that nothing has come back to."""


def health_probe(dial: Dial, host: str) -> Probe:
    """A probe that asks for `/api/health`.

    Whatever comes back is a sign of life, a refusal or a reset included: the question is whether
    there is a network, not how the server is. Nor does a machine without a socket to spare say
    anything about it.

    Args:
        dial: The way to the server.
        host: For the Host header.
    """
    request = (
        f"HEAD /api/health HTTP/1.1\r\nHost: {host}\r\nCache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    ).encode("ascii")

    async def probe() -> bool:
        stream = None
        try:
            stream = await dial()
            await stream.send_all(request)
            await stream.receive_some()
        except OSError as error:
            await trio.lowlevel.checkpoint()
            return error.errno not in _NO_NETWORK
        finally:
            if stream is not None:
                stream.close()
        return True

    return probe
