"""A sign of life from the network: the health probe of a client's network monitor."""

import trio

from simulator.client import Probe
from simulator.transport.seam import Dial


def health_probe(dial: Dial, host: str) -> Probe:
    """A probe that asks for `/api/health`.

    Whatever comes back is a sign of life, a refusal or a reset included: the question is whether
    there is a network, not how the server is.

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
        except TimeoutError:
            return False
        except OSError:
            await trio.lowlevel.checkpoint()
            return True
        finally:
            if stream is not None:
                stream.close()
        return True

    return probe
