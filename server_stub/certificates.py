"""What a TLS server shows its peers: a certificate from files, or one made for the occasion."""

import ssl
from collections.abc import Iterable
from pathlib import Path

EXTRA = "thundering-herd[serve]"
"""What brings the packages that only a server for others needs."""


class CertificateError(Exception):
    """A certificate cannot be used; the message is one clear line."""


def context_from_files(certificate: Path, key: Path) -> ssl.SSLContext:
    """The settings of a server with a certificate of its own.

    Args:
        certificate: PEM file: the server's certificate, then those that vouch for it.
        key: PEM file with its private key, not encrypted.

    Raises:
        CertificateError: A file cannot be read or does not hold that, or they do not fit together.
    """
    for option, path in (("--cert", certificate), ("--key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise CertificateError(f"{option} = {path}: {error.strerror}") from None
    context = _server_context()
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise CertificateError(f"--cert = {certificate}, --key = {key}: {_why(error)}") from None
    except ValueError as error:
        raise CertificateError(f"--key = {key}: {error}") from None
    return context


def made_context(names: Iterable[str], authority: Path) -> ssl.SSLContext:
    """The settings of a server whose certificate is made now, by an authority made now.

    Args:
        names: Host names and addresses to certify.
        authority: Where to write the authority's certificate, which clients must be told to trust.

    Raises:
        CertificateError: The package that makes certificates is not installed.
    """
    try:
        import trustme  # noqa: PLC0415 - an extra that only this function needs
    except ImportError:
        raise CertificateError(
            f"--tls makes a certificate, which needs trustme: pip install '{EXTRA}', or give "
            "--cert and --key"
        ) from None
    context = _server_context()
    maker = trustme.CA(organization_name="herd serve")
    maker.issue_cert(*names).configure_cert(context)
    maker.cert_pem.write_to_path(str(authority))
    return context


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    raise ValueError("is encrypted; allowed: a key without a password")


def _why(error: ssl.SSLError) -> str:
    """What the TLS library means, in words where it has only a code."""
    reason = error.reason or "NO_START_LINE"
    match reason:
        case "KEY_VALUES_MISMATCH":
            return "the key belongs to another certificate"
        case "NO_START_LINE" | "NO_CERTIFICATE_OR_CRL_FOUND":
            return "not a certificate and a key in PEM form"
    return f"cannot be used ({reason.lower().replace('_', ' ')})"
