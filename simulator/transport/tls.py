"""TLS over any stream, for a server that is not ours and listens at wss.

Every connection makes a full handshake: a client that resumes an earlier session costs its server
less.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from server_stub.streams import Stream
from server_stub.tls import TlsStream
from simulator.core.outcomes import Outcome
from simulator.transport.seam import AttemptFailedError, Dial


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
        stream = TlsStream(await dial(), context, server_name=config.name)
        try:
            await stream.shake_hands()
        except BaseException as error:
            stream.close()
            if isinstance(error, ssl.SSLError):
                raise _failure(error) from None
            raise
        return stream

    return dial_over_tls


def _failure(error: ssl.SSLError) -> AttemptFailedError:
    """What a handshake that failed means for the attempt."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = f"its certificate is not to be trusted: {error.verify_message}"
        return AttemptFailedError(Outcome.FAILED, reason)
    return AttemptFailedError(Outcome.EOF, f"no TLS: {error.reason or error}")
