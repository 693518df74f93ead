"""Certificates from files and made ones; what is wrong is said in one line."""

import builtins
import ssl

import pytest
import trustme

from server_stub.certificates import CertificateError, context_from_files, made_context


@pytest.fixture
def files(tmp_path):
    """Two certificates with their keys."""
    for name in ("one", "other"):
        made = trustme.CA().issue_cert(name)
        made.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        made.private_key_pem.write_to_path(tmp_path / f"{name}.key")
    return tmp_path


def complaint(certificate, key):
    """The one line."""
    with pytest.raises(CertificateError) as error:
        context_from_files(certificate, key)
    (line,) = str(error.value).splitlines()
    return line


def test_a_certificate_and_its_key_fit(files):
    """No complaint, and nothing older than TLS 1.2."""
    context = context_from_files(files / "one.pem", files / "one.key")
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_key_of_another_certificate_is_refused(files):
    """Both files are named."""
    line = complaint(files / "one.pem", files / "other.key")
    assert line == (
        f"--cert = {files / 'one.pem'}, --key = {files / 'other.key'}: "
        "the key belongs to another certificate"
    )


@pytest.mark.parametrize("missing", ["--cert", "--key"])
def test_a_file_that_is_not_there_is_named(files, missing):
    """With its option."""
    paths = {"--cert": files / "one.pem", "--key": files / "one.key"}
    paths[missing] = files / "nowhere"
    assert (
        complaint(*paths.values()) == f"{missing} = {files / 'nowhere'}: No such file or directory"
    )


def test_a_file_that_holds_something_else_is_refused(files):
    """Whatever it holds."""
    (files / "text").write_text("no certificate\n", encoding="utf-8")
    assert complaint(files / "text", files / "one.key").endswith("in PEM form")
    assert complaint(files / "one.pem", files / "text").endswith("in PEM form")


def test_an_encrypted_key_is_refused_rather_than_asked_for(files):
    """Nobody may be there to type a password."""
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415

    key = form.load_pem_private_key((files / "one.key").read_bytes(), password=None)
    sealed = key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"secret")
    )
    (files / "sealed.key").write_bytes(sealed)
    line = complaint(files / "one.pem", files / "sealed.key")
    assert line.endswith("is encrypted; allowed: a key without a password")


def test_a_made_certificate_is_vouched_for_by_the_authority_written_down(tmp_path):
    """Whoever trusts that file trusts the server, under each of its names."""
    served = made_context(["localhost", "127.0.0.1"], tmp_path / "ca.pem")
    for name in ("localhost", "127.0.0.1"):
        trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        assert shake_hands(served, trusting, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(served, trusting, "example.org")


def shake_hands(served, trusting, name):
    """A handshake in memory; True when both sides are content."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = served.wrap_bio(up, down, server_side=True)
    client = trusting.wrap_bio(down, up, server_hostname=name)
    done = set()
    while len(done) < 2:
        for side in (client, server):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                continue
    return True


def test_without_the_package_that_makes_them_one_line_says_what_to_install(tmp_path, monkeypatch):
    """And what else would do."""
    real_import = builtins.__import__

    def without_trustme(name, *arguments):
        if name == "trustme":
            raise ImportError(name)
        return real_import(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_trustme)
    with pytest.raises(CertificateError, match=r"pip install 'thundering-herd\[serve\]', or give"):
        made_context(["localhost"], tmp_path / "ca.pem")
