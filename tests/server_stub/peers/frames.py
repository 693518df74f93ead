"""Frames byte by byte, good and bad (RFC 6455, 5.2), written and read without any library."""

import struct

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASK = bytes.fromhex("a1b2c3d4")


def request(target="/echo", *, without=(), line=None, **headers):
    """An upgrade request; keyword arguments change headers, with _ for -.

    Args:
        target: Of the request.
        without: Names of headers to leave out.
        line: In place of the request line.
        **headers: A value, or several for a header that comes more than once.
    """
    fields = {
        "Host": "stub",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    fields = {name: value for name, value in fields.items() if name not in without}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [line or f"GET {target} HTTP/1.1"]
    for name, value in fields.items():
        lines += [f"{name}: {each}" for each in ([value] if isinstance(value, str) else value)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def frame(opcode, payload=b"", *, fin=True, rsv=0, mask=MASK, size=None, shortest=True):
    """A client's frame.

    Args:
        opcode: 0 to 15.
        payload: Bytes, or a text.
        fin: Is it the last of its message?
        rsv: The three reserved bits, 0 to 7.
        mask: Four bytes; None leaves it unmasked.
        size: What the header says; the truth unless given.
        shortest: Whether the length is written in as few bytes as it takes, or in eight.
    """
    payload = payload.encode() if isinstance(payload, str) else payload
    size = len(payload) if size is None else size
    head = bytes([fin << 7 | rsv << 4 | opcode])
    masked = 0x80 if mask is not None else 0
    if size < 126 and shortest:
        head += bytes([masked | size])
    elif size < 65536 and shortest:
        head += bytes([masked | 126]) + struct.pack("!H", size)
    else:
        head += bytes([masked | 127]) + struct.pack("!Q", size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def close(code=None, reason=b""):
    """A client's close frame."""
    payload = b"" if code is None else struct.pack("!H", code)
    return frame(CLOSE, payload + (reason.encode() if isinstance(reason, str) else reason))


def read_frames(data):
    """A server's frames, as (opcode, payload); each must be whole, final, unmasked and minimal."""
    frames = []
    at = 0
    while at < len(data):
        first, size, start = data[at], data[at + 1], at + 2
        assert first & 0xF0 == 0x80, "a server of ours neither fragments nor sets reserved bits"
        assert size < 128, "a server must not mask (RFC 6455, 5.1)"
        if size == 126:
            (size,), start = struct.unpack_from("!H", data, start), start + 2
            assert size > 125, "not the shortest form of a length (5.2)"
        elif size == 127:
            (size,), start = struct.unpack_from("!Q", data, start), start + 8
            assert size > 65535, "not the shortest form of a length (5.2)"
        at = start + size
        assert len(data) >= at, "half a frame"
        frames.append((first & 0x0F, bytes(data[start:at])))
    return frames
