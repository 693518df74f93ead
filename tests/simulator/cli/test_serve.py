"""`herd serve`: what it refuses, each in one line; what it does is in tests/foreign."""

import builtins
import socket

import pytest
import trustme


@pytest.fixture
def taken():
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def refused(cli, in_tmp):
    """Run it with options that it cannot accept; gives the one line of its complaint."""

    def run(*arguments):
        ended = cli("serve", *arguments, "--for", "0.01")
        assert ended.returncode == 2
        (line,) = ended.stderr.splitlines()
        assert list(in_tmp.glob("herd-runs/*/*")) == []
        return line.removeprefix("herd: ")

    return run


@pytest.mark.parametrize("option", ["--port", "--http-port"])
def test_a_port_in_use(refused, taken, option):
    """The other one is free."""
    ports = {"--port": 0, "--http-port": 0, option: taken}
    line = refused(*(part for pair in ports.items() for part in pair))
    assert line == f"{option} = {taken}: Address already in use; 0 takes a free one"


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_here(refused, host):
    """By number or by name."""
    assert refused("--host", host, "--port", 0).startswith(f"--host = {host}: ")


def test_certificates(refused, in_tmp):
    """Missing, of another key, or half of a pair."""
    for name in ("one", "other"):
        made = trustme.CA().issue_cert(name)
        made.cert_chain_pems[0].write_to_path(f"{name}.pem")
        made.private_key_pem.write_to_path(f"{name}.key")
    free = ("--port", 0)
    assert refused(*free, "--cert", "one.pem", "--key", "nowhere") == (
        "--key = nowhere: No such file or directory"
    )
    assert refused(*free, "--cert", "one.pem", "--key", "other.key") == (
        "--cert = one.pem, --key = other.key: the key belongs to another certificate"
    )
    assert refused(*free, "--cert", "one.pem") == "--cert and --key: need each other"
    both = ("--cert", "one.pem", "--key", "one.key", "--tls")
    assert refused(*free, *both).startswith("--tls: makes a certificate, but --cert gives one")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--client-id", "cookie"), "--client-id = cookie: allowed: query:NAME"),
        (("--set", "n_clients=5"), "--set n_clients: is about a herd"),
        (("--set", "client.policy=fixed"), "--set client.policy: is about a herd"),
        (("--set", "server.workers=0"), "restart: server.workers = 0: allowed: more than 0"),
        (("wifi-drop",), "wifi-drop: outage.0.kind = 'network': outages of the server"),
        (("no-such",), "scenario 'no-such': valid: "),
        (("--no-http", "--http-port", "1"), "--http-port = 1: contradicts --no-http"),
        (("--no-http", "--token", "t"), "--token: is for orders over HTTP"),
        (("--port", "70000"), "--port = 70000: allowed: 0 to 65535"),
        (("--begin-after", "-1"), "--begin-after = -1: allowed: a number"),
        (("--fail-if", "peaks > 1"), "--fail-if 'peaks > 1': "),
        (("--fail-if", "n_attempts > 9"), "'n_attempts > 9': metric 'n_attempts' was not measured"),
        (("--junit", "x.xml"), "--junit = x.xml: there is no condition to report on"),
    ],
)
def test_bad_input(refused, arguments, line):
    """The option or the field, its value, what is allowed."""
    assert refused(*arguments).startswith(line)


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan"])
def test_no_time_at_all(cli, seconds):
    """Nor for ever."""
    ended = cli("serve", "--for", seconds)
    assert ended.returncode == 2
    assert ended.stderr.startswith("herd: --for = ")


def test_all_mistakes_are_told_at_once(cli):
    """A line for each."""
    ended = cli("serve", "--client-id", "x", "--set", "grace=1", "--for", "0", "--key", "k")
    assert len(ended.stderr.splitlines()) == 4


@pytest.fixture
def without_extra(monkeypatch):
    """As if only the plain package were installed."""
    real_import = builtins.__import__

    def bare_import(name, *arguments, **options):
        if name == "server_stub.http" or name.split(".")[0] in {"trustme", "quart", "hypercorn"}:
            raise ImportError(name)
        return real_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", bare_import)


def test_what_needs_the_extra_says_so(refused, without_extra):
    """Where it was asked for."""
    hint = "pip install 'thundering-herd[serve]'"
    assert hint in refused("--http-port", 0)
    assert hint in refused("--tls", "--no-http", "--port", 0)


def test_nobody_came(cli, in_tmp, without_extra):
    """Nothing is left behind; and without the extra it serves all the same, and says what lacks."""
    ended = cli("serve", "--port", 0, "--for", 0.2)
    assert ended.returncode == 2
    assert ended.stderr == "herd: nobody connected: there is nothing to look at\n"
    assert "no HTTP (health, metrics, orders): it needs" in ended.stdout
    assert list(in_tmp.glob("herd-runs/*")) == []


def test_an_earlier_run_is_not_replaced_unasked(refused, in_tmp):
    """As with any run."""
    (in_tmp / "out").mkdir()
    (in_tmp / "out" / "manifest.json").write_text('{"herd_version": "0"}', encoding="utf-8")
    assert refused("--port", 0, "--out", "out") == (
        "out: holds an earlier run; use --force to replace it"
    )
