"""How the live engine's clients dial: straight to a numeric address, from a chosen source."""

import errno
import os
import socket
from collections.abc import Awaitable, Callable

import trio

from server_stub.streams import SocketStream, Stream

_IP_BIND_ADDRESS_NO_PORT = 24
"""From <linux/in.h>: leave the choice of the source port to connect()."""


def dialler(address: tuple[str, int], source: str | None) -> Callable[[], Awaitable[Stream]]:
    """A dial function for one server.

    No name resolution and no happy eyeballs: they would cost more than the connect itself.

    Args:
        address: Numeric address and port of the server.
        source: Numeric address to dial from; None for the kernel's choice.
    """
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET

    async def dial() -> Stream:
        client = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if source is not None:
                client.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
                client.bind((source, 0))
            error = client.connect_ex(address)
            if error == errno.EINPROGRESS:
                await _completion(client)
                error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
        except BaseException:
            client.close()
            raise
        return SocketStream(client)

    return dial


async def _completion(client: socket.socket) -> None:
    """Wait for a connect to succeed or fail; on loopback it mostly has by the time we look.

    Then there is no checkpoint here: it comes with the first byte sent.
    """
    try:
        client.getpeername()
    except OSError:
        await trio.lowlevel.wait_writable(client)
