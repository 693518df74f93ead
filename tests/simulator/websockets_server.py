"""A server that is not herd's: the `websockets` library's own, as people start it.

    python websockets_server.py HOST PORT [CERTIFICATE]

It prints a line once it listens, and goes down as its documentation says: SIGTERM closes every
connection with 1001 and ends it. Whoever does not ask for /chat?room=1 with the right token is
turned away, and so is whoever does not speak chat.v1.
"""

import asyncio
import http
import signal
import ssl
import sys

from websockets.asyncio.server import serve


async def echo(connection):
    """Say everything back."""
    async for message in connection:
        await connection.send(message)


def check(connection, request):
    """Turn strangers away."""
    if not request.path.startswith("/chat?room=1"):
        return connection.respond(http.HTTPStatus.NOT_FOUND, "no such room\n")
    if request.headers.get("Authorization") != "Bearer letmein":
        return connection.respond(http.HTTPStatus.UNAUTHORIZED, "no token\n")
    return None


async def main(host, port, certificate=None):
    """Serve until SIGTERM comes."""
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    async with serve(
        echo, host, int(port), ssl=tls, process_request=check, subprotocols=["chat.v1"]
    ) as server:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
