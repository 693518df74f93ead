"""TLS over any stream, for a server that is not ours and listens at wss.

The protocol is OpenSSL's, by way of Python's `ssl`; this only carries its bytes. Every connection
makes a full handshake: a client that resumes an earlier session costs its server less.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import trio

from server_stub.streams import Stream
from simulator.core.outcomes import Outcome
from simulator.transport.seam import AttemptFailedError, Dial

T = TypeVar("T")

_READ_SIZE = 16_384


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsConfig:
    """How clients know the server by its certificate."""

    name: str
    """Host name or address that the certificate must be for."""
    cafile: Path | None = None
    """Certificates to trust, in PEM; the system's unless given."""
    insecure: bool = False
    """Trust whatever certificate comes."""

    def context(self) -> ssl.SSLContext:
        """What all connections share.

        Raises:
            OSError: The file cannot be read, or holds no certificate.
        """
        context = ssl.create_default_context(cafile=self.cafile)
        context.set_alpn_protocols(["http/1.1"])
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def over_tls(dial: Dial, config: TlsConfig) -> Dial:
    """The same dial function, with TLS on top."""
    context = config.context()

    async def dial_over_tls() -> Stream:
        stream = TlsStream(await dial(), context, config.name)
        try:
            await stream.shake_hands()
        except BaseException:
            stream.close()
            raise
        return stream

    return dial_over_tls


class TlsStream:
    """The client's end of a TLS connection."""

    __slots__ = ("_incoming", "_outgoing", "_stream", "_tls", "_unsent")

    def __init__(self, stream: Stream, context: ssl.SSLContext, name: str) -> None:
        """Wrap a stream on which nothing has been said.

        Args:
            stream: What carries the bytes.
            context: Shared with others.
            name: Of the server.
        """
        self._stream = stream
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._unsent = b""
        """Ciphertext that `send_nowait` found no room for."""

    async def shake_hands(self) -> None:
        """Make the connection a TLS connection.

        Raises:
            AttemptFailedError: The server leaves, does not speak TLS, or is not who it should be.
            OSError: The stream broke.
        """
        try:
            await self._with_peer(self._tls.do_handshake)
            await self._flush()
        except ssl.SSLCertVerificationError as error:
            with suppress(OSError):
                await self._flush()  # Tells the peer why.
            reason = f"its certificate is not to be trusted: {error.verify_message}"
            raise AttemptFailedError(Outcome.FAILED, reason) from None
        except ssl.SSLError as error:
            raise AttemptFailedError(Outcome.EOF, f"no TLS: {error.reason or error}") from None

    async def send_all(self, data: bytes) -> None:
        """Send everything, waiting for the peer to make room."""
        self._tls.write(data)
        await self._flush()

    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent without waiting; how many bytes that was."""
        self._push()
        if self._unsent:
            return 0
        n_sent = self._tls.write(data)
        self._unsent = self._outgoing.read()
        self._push()
        return n_sent

    async def receive_some(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; empty when the peer has ended."""
        try:
            return await self._with_peer(lambda: self._tls.read(_READ_SIZE))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except ssl.SSLError as error:
            raise ConnectionResetError(f"not TLS any more: {error.reason or error}") from None

    def close(self) -> None:
        """End it without waiting; the peer sees the end of the stream."""
        self._stream.close()

    def reset(self) -> None:
        """Drop it without waiting; the peer sees a reset."""
        self._stream.reset()

    async def _with_peer(self, step: Callable[[], T]) -> T:
        """Take a step of the protocol, with as much help of the peer as that needs."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                await self._flush()
            data = await self._stream.receive_some()
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    async def _flush(self) -> None:
        # Looked at first, for a record that is taken out and not sent breaks all that follow.
        await trio.lowlevel.checkpoint_if_cancelled()
        data, self._unsent = self._unsent + self._outgoing.read(), b""
        if data:
            await self._stream.send_all(data)

    def _push(self) -> None:
        self._unsent = self._unsent[self._stream.send_nowait(self._unsent) :]
