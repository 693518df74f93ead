"""TLS between a stream and whoever reads and writes it, with no task of its own.

The handshake happens when somebody first wants to read, unless it is asked for. A reset stays a
reset: what breaks is the stream below. What the TLS library raises are OSErrors, as of any broken
stream; whoever reads is told apart who breaks TLS from who has left.
"""

import ssl
from contextlib import suppress

import trio

from server_stub.streams import GarbledError, Port, Stream

_RECEIVE_SIZE = 16_384


class TlsPort:
    """A port whose peers speak TLS."""

    def __init__(self, port: Port, context: ssl.SSLContext) -> None:
        """Put TLS in front of a port.

        Args:
            port: Where peers connect.
            context: For the server's side, with its certificate.
        """
        self._port = port
        self._context = context

    def listen(self) -> None:
        """Let peers connect."""
        self._port.listen()

    def refuse(self) -> None:
        """Reset the peers that nobody has accepted, and refuse new ones."""
        self._port.refuse()

    def hold(self) -> None:
        """Reset the peers that nobody has accepted; new ones queue and wait."""
        self._port.hold()

    async def accept(self) -> "TlsStream":
        """The next peer in the queue; its handshake is yet to come."""
        return TlsStream(await self._port.accept(), self._context)

    def close(self) -> None:
        """Give the port up."""
        self._port.close()


class TlsStream:
    """One end of a TLS connection."""

    def __init__(
        self, stream: Stream, context: ssl.SSLContext, *, server_name: str | None = None
    ) -> None:
        """Wrap a stream on which nothing has been said.

        Args:
            stream: What carries the bytes.
            context: Shared with others.
            server_name: Of the server, for the client's end; None makes it the server's.
        """
        self._stream = stream
        self._received, self._unsent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._received,
            self._unsent,
            server_side=server_name is None,
            server_hostname=server_name,
        )
        self._is_open = False
        """Have the two sides shaken hands?"""
        self._sending = trio.Lock()
        self._left_over = b""
        """Enciphered, and not taken by the stream yet."""
        self._n_prepaid = 0
        """Bytes that a caller still believes unsent, and will say again; see `send_nowait`."""

    @property
    def peer_address(self) -> str:
        """Where the other side is, without the port."""
        return self._stream.peer_address

    async def send_all(self, data: bytes) -> None:
        """Send everything, waiting for the peer to make room."""
        self._encipher(data)
        await self._push()

    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent without waiting; how many bytes that was.

        What is enciphered cannot be taken back. If not all of it could be sent, one byte is called
        unsent, so that the caller comes back with it; it will not be enciphered again.
        """
        if self._left_over or self._sending.locked() or not data:
            return 0
        self._encipher(data)
        if self._push_nowait():
            return len(data)
        self._n_prepaid = 1
        return len(data) - 1

    async def receive_some(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; empty when the peer has ended.

        Raises:
            GarbledError: The peer does not speak TLS, or will not with us.
            OSError: The stream broke.
        """
        try:
            if not self._is_open:
                await self.shake_hands()
            return await self._decipher()
        except ssl.SSLEOFError:
            return b""
        except ssl.SSLError as error:
            raise GarbledError(str(error)) from error

    async def _decipher(self) -> bytes:
        while True:
            try:
                return self._tls.read(_RECEIVE_SIZE)
            except ssl.SSLWantReadError:
                self._push_nowait()  # Answers of the protocol itself: a few bytes, if any.
            except ssl.SSLZeroReturnError:
                return b""
            self._take(await self._stream.receive_some())

    async def linger(self) -> None:
        """Send nothing more, and wait for the peer to end; what it still sends is dropped."""
        await self._push()
        self._say_goodbye()
        await self._stream.linger()

    def close(self) -> None:
        """End it without waiting; the peer is told, if it can be told at once."""
        self._say_goodbye()
        self._stream.close()

    def _say_goodbye(self) -> None:
        if self._is_open and not self._left_over and not self._sending.locked():
            with suppress(OSError, ValueError):  # It wants an answer; nobody will wait for that.
                self._tls.unwrap()
            self._try_to_push()
        self._is_open = False

    def reset(self) -> None:
        """Drop it without waiting; the peer sees a reset."""
        self._stream.reset()

    async def shake_hands(self) -> None:
        """Make the connection a TLS connection.

        Raises:
            ssl.SSLError: The peer does not speak TLS, or is not who it should be.
            OSError: The stream broke.
        """
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._push()
                self._take(await self._stream.receive_some())
            except ssl.SSLError:
                self._try_to_push()  # Why it failed, for the peer.
                raise
        self._is_open = True
        await self._push()

    def _take(self, data: bytes) -> None:
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()

    def _encipher(self, data: bytes) -> None:
        data = data[self._n_prepaid :]
        self._n_prepaid = 0
        if data:
            self._tls.write(data)

    def _push_nowait(self) -> bool:
        """Hand on what is enciphered; whether all of it was taken."""
        if self._sending.locked():
            return False
        data = self._left_over + self._unsent.read()
        self._left_over = data[self._stream.send_nowait(data) :] if data else b""
        return not self._left_over

    def _try_to_push(self) -> None:
        with suppress(OSError, trio.ClosedResourceError):
            self._push_nowait()

    async def _push(self) -> None:
        async with self._sending:
            while data := self._left_over + self._unsent.read():
                self._left_over = b""
                await self._stream.send_all(data)
