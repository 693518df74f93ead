"""A neutral peer for the bench: answers upgrade requests with 101, pings with pongs, else silence.

It knows nothing of the stub server, so that what is measured is the client side alone, and it is
as bare as Python allows: one epoll loop, no protocol library. Run as a program it prints its port
and serves until its standard input ends, hence no longer than the process that started it.
"""

import base64
import hashlib
import select
import socket
import sys

HOST = "127.0.0.1"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""From RFC 6455, 1.3."""
_KEY = b"sec-websocket-key:"
_PING, _PONG = 0x89, 0x8A
_LISTEN_BACKLOG = 4096


def answer_to(data: bytes) -> bytes:
    """What to send back for what arrived in one piece: a request, a ping or anything else."""
    if data.startswith(b"GET "):
        return _switching_protocols(data)
    return _pong(data) if data[0] == _PING else b""


def _switching_protocols(request: bytes) -> bytes:
    at = request.lower().index(_KEY) + len(_KEY)
    key = request[at : request.index(b"\r\n", at)].strip()
    token = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + token + b"\r\n\r\n"
    )


def _pong(ping: bytes) -> bytes:
    """The payload of a client's short frame, unmasked, in a frame of ours."""
    size = ping[1] & 0x7F
    mask, masked = ping[2:6], ping[6 : 6 + size]
    payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))
    return bytes((_PONG, size)) + payload


def serve() -> None:
    """Announce the port on standard output and answer until standard input ends."""
    listener = socket.create_server((HOST, 0), backlog=_LISTEN_BACKLOG)
    listener.setblocking(False)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    peers: dict[int, socket.socket] = {}
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            if number == sys.stdin.fileno():
                return
            if number == listener.fileno():
                _accept_all(listener, peers, poll)
            else:
                _hear(peers, number)


def _accept_all(
    listener: socket.socket, peers: dict[int, socket.socket], poll: select.epoll
) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except BlockingIOError:
            return
        peers[peer.fileno()] = peer
        poll.register(peer, select.EPOLLIN)


def _hear(peers: dict[int, socket.socket], number: int) -> None:
    try:
        data = peers[number].recv(4096)
        if data:
            peers[number].sendall(answer_to(data))
    except OSError:
        data = b""
    if not data:
        peers.pop(number).close()


if __name__ == "__main__":
    serve()
