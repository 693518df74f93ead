"""The server's part in HTTP: is a request one for a WebSocket, and what it is answered, sans-IO.

The checks are those of RFC 6455, 4.2.1; the statuses of what fails them are those of RFC 9110, 15.5
and RFC 6585, 5.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

import h11
from wsproto.utilities import generate_accept_token

VERSION = b"13"
"""Of the protocol; there is no other."""
_KEY_BYTES = 16

Headers = Iterable[tuple[bytes, bytes]]


class BadRequestError(Exception):
    """A request that is turned away for what it is; the message says why."""

    def __init__(self, status: HTTPStatus, reason: str, headers: Headers = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = tuple(headers)

    def answer(self) -> bytes:
        """What to send."""
        return refusal(self.status, self.headers, str(self))


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A valid request to open a WebSocket."""

    target: str
    """As the peer sent it."""
    headers: dict[bytes, bytes]
    """By name in lower case; those of one name are joined by commas."""

    @property
    def subprotocols(self) -> list[bytes]:
        """Those that the peer offers, in its order of preference."""
        return _items(self.headers.get(b"sec-websocket-protocol", b""))

    def acceptance(self) -> bytes:
        """The answer 101.

        Of the subprotocols that the peer offers the first is agreed to: a browser that offers any
        breaks the connection off if none is. No extension is: messages are never compressed.
        """
        token = generate_accept_token(self.headers[b"sec-websocket-key"])
        agreed = b"".join(
            b"Sec-WebSocket-Protocol: %b\r\n" % name for name in self.subprotocols[:1]
        )
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n%b\r\n" % (token, agreed)
        )


def upgrade_of(request: h11.Request) -> Upgrade:
    """What a peer asks for.

    Raises:
        BadRequestError: Not for a WebSocket, or not properly.
    """
    if request.http_version != b"1.1":
        raise BadRequestError(_status_of_version(request.http_version), "HTTP/1.1 is needed")
    if request.method != b"GET":
        raise BadRequestError(
            HTTPStatus.METHOD_NOT_ALLOWED, "the method must be GET", [(b"Allow", b"GET")]
        )
    headers: dict[bytes, bytes] = {}
    for name, value in request.headers:
        headers[name] = b"%b, %b" % (headers[name], value) if name in headers else value
    _check(headers)
    return Upgrade(request.target.decode("ascii"), headers)


def _status_of_version(version: bytes) -> HTTPStatus:
    """Only another major version is none that HTTP's own rules let us read."""
    if version.startswith(b"1."):
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED


def _check(headers: dict[bytes, bytes]) -> None:
    if headers.get(b"content-length", b"0").strip(b"0") or b"transfer-encoding" in headers:
        raise BadRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no body is taken")
    is_upgrade = _names(headers, b"upgrade", b"websocket") and _names(
        headers, b"connection", b"upgrade"
    )
    if not is_upgrade or headers.get(b"sec-websocket-version") != VERSION:
        raise BadRequestError(
            HTTPStatus.UPGRADE_REQUIRED,
            "this is a WebSocket server" if not is_upgrade else "version 13 is needed",
            [(b"Upgrade", b"websocket"), (b"Sec-WebSocket-Version", VERSION)],
        )
    if not _is_key(headers.get(b"sec-websocket-key", b"")):
        raise BadRequestError(
            HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64, once"
        )


def _names(headers: dict[bytes, bytes], name: bytes, token: bytes) -> bool:
    """Does a header's list hold this token, in whatever case?"""
    value = headers.get(name, b"").lower()
    return value == token or token in _items(value)


def _items(value: bytes) -> list[bytes]:
    """The items of a comma-separated list, empty ones left out (RFC 9110, 5.6.1)."""
    return [item for part in value.split(b",") if (item := part.strip(b" \t"))]


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


def refusal(status: HTTPStatus, headers: Headers = (), reason: str = "") -> bytes:
    """An answer after which the connection ends.

    Args:
        status: Not 101.
        headers: Beside those that every such answer has.
        reason: For people; goes into the body.
    """
    body = f"{reason}\n".encode() if reason else b""
    fields = [*headers, (b"Connection", b"close"), (b"Content-Length", b"%d" % len(body))]
    if body:
        fields.append((b"Content-Type", b"text/plain; charset=utf-8"))
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}".encode(),
        *(b"%b: %b" % field for field in fields),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
