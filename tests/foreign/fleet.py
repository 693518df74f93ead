"""Clients as the documentation of `websockets` writes them: `fleet.py URL N`.

{} in the URL is replaced by the number of the client.
"""

import asyncio
import sys

import websockets


async def client(url):
    """Connect, say something, hear it back, stay; over and over."""
    async for connection in websockets.connect(url):
        try:
            await connection.send("hello")
            assert await connection.recv() == "hello"
            await connection.wait_closed()
        except websockets.ConnectionClosed:
            continue


async def main(url, n_clients):
    """All of them."""
    await asyncio.gather(*(client(url.format(number)) for number in range(int(n_clients))))


asyncio.run(main(*sys.argv[1:]))
