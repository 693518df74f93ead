"""Where a herd may be sent, and what is said when it may not."""

import socket

import pytest

from server_stub.wire import Identity, identity_of
from simulator.errors import TargetError
from simulator.target import MAX_CLIENTS, MAX_CONNECTS, aim

SOMEBODY = Identity(client=7, episode=2, attempt=3)


def found(*addresses):
    """A resolver that knows one answer to everything."""

    def resolve(host, port, *, type):
        assert type is socket.SOCK_STREAM
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in each], type, 6, "", (each, port)) for each in addresses]

    return resolve


def lost(host, port, *, type):
    """A resolver that knows none."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


HERE = found("127.0.0.1")
ELSEWHERE = found("192.0.2.7")


def refusal(url="ws://localhost:8000/", resolve=HERE, **options):
    """The lines of the error that this must raise."""
    with pytest.raises(TargetError) as caught:
        aim(url, resolve=resolve, **options)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return caught.value.problems


# What a URL says


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("ws://localhost:8000/chat", "localhost", 8000, "/chat", "localhost:8000"),
        ("ws://localhost:8000", "localhost", 8000, "/", "localhost:8000"),
        ("ws://localhost/chat", "localhost", 80, "/chat", "localhost"),
        ("ws://localhost:80/chat", "localhost", 80, "/chat", "localhost"),
        ("wss://localhost/chat", "localhost", 443, "/chat", "localhost"),
        ("wss://localhost:80/", "localhost", 80, "/", "localhost:80"),
        ("ws://[::1]:9/a?b=c&d", "::1", 9, "/a?b=c&d", "[::1]:9"),
        ("WS://LocalHost:8000/Chat", "localhost", 8000, "/Chat", "localhost:8000"),
        ("ws://localhost:8000?token=x", "localhost", 8000, "/?token=x", "localhost:8000"),
    ],
)
def test_the_url_is_kept(url, host, port, path, authority):
    """Path and query go into the request as they are, the port into the Host header if need be."""
    target = aim(url, resolve=HERE)
    assert (target.host, target.port, target.path) == (host, port, path)
    assert target.authority == authority
    assert target.path_of(SOMEBODY) == path
    assert target.is_secure == url.startswith("wss")


def test_records_hold_no_query():
    """A token in it is nobody's business."""
    target = aim("ws://localhost:8000/chat?token=secret", resolve=HERE)
    assert target.label == "ws://localhost:8000/chat"


@pytest.mark.parametrize("url", ["ws://localhost/chat", "ws://localhost/chat?room=1&token=x"])
def test_identity_is_added_to_the_query(url):
    """Where it is asked for, what the URL says comes first, and the stub could read the rest."""
    target = aim(url, identify=True, resolve=HERE)
    path = target.path_of(SOMEBODY)
    assert path.startswith(url.removeprefix("ws://localhost"))
    assert identity_of(path) == SOMEBODY


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:8000", "allowed: ws://HOST:PORT/PATH"),
        ("http://localhost:8000/", "allowed: ws://HOST:PORT/PATH"),
        ("", "allowed: ws://HOST:PORT/PATH"),
        ("ws://", "names no host"),
        ("ws:///chat", "names no host"),
        ("ws://localhost:0/", "names no host and port"),
        ("ws://localhost:99999/", "Port out of range"),
        ("ws://localhost:many/", "many"),
        ("ws://[::1/", "allowed: ws://HOST:PORT/PATH"),
        ("ws://localhost/a b", "percent-encoded"),
        ("ws://localhost/a\r\nX: y", "percent-encoded"),
        ("ws://localhost/é", "percent-encoded"),
        ("ws://localhost/#part", "without a fragment"),
        ("ws://ann:secret@localhost/", "--header 'Authorization: ...'"),
    ],
)
def test_bad_urls(url, said):
    """Each is one line that says what is allowed, and gives no password away."""
    (line,) = refusal(url)
    assert line.startswith("--target")
    assert said in line
    assert "secret" not in line


# Whose server it is


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_this_machine_needs_no_leave(address):
    """And no ceiling either."""
    target = aim("ws://localhost/", resolve=found(address))
    assert target.addresses == (address,)
    assert (target.max_clients, target.max_connects) == (None, None)


@pytest.mark.parametrize(
    "addresses",
    [
        ("192.0.2.7",),
        ("10.0.0.1",),
        ("0.0.0.0",),
        ("2001:db8::1",),
        ("::ffff:192.0.2.7",),
        ("127.0.0.1", "192.0.2.7"),
    ],
)
def test_another_machine_does(addresses):
    """A name counts by what it resolves to, all of it."""
    (line,) = refusal("ws://localhost.example/", resolve=found(*addresses))
    assert addresses[-1] in line
    assert "--allow-host localhost.example" in line


def test_the_host_is_named_a_second_time():
    """Then a ceiling applies, unless another one is given."""
    target = aim("ws://Example.org/", allow_host="example.ORG", resolve=ELSEWHERE)
    assert (target.max_clients, target.max_connects) == (MAX_CLIENTS, MAX_CONNECTS)
    raised = {"max_clients": 5000, "max_connects": 20.0}
    target = aim("ws://example.org/", allow_host="example.org", resolve=ELSEWHERE, **raised)
    assert (target.max_clients, target.max_connects) == (5000, 20.0)


def test_an_ipv6_host_is_named_with_or_without_brackets():
    """As it stands in the URL, or as people write it."""
    for name in ("2001:db8::1", "[2001:db8::1]"):
        aim("ws://[2001:db8::1]/", allow_host=name, resolve=found("2001:db8::1"))


def test_another_host_is_no_leave():
    """A slip in either name shows."""
    (line,) = refusal("ws://example.org/", ELSEWHERE, allow_host="example.com")
    assert line == "--allow-host = example.com: names another host than --target, example.org"


def test_leave_that_nobody_needs():
    """A setting that does nothing is refused."""
    (line,) = refusal(allow_host="localhost")
    assert line == "--allow-host = localhost: has no effect, localhost is this machine"


def test_a_name_that_nobody_knows():
    """The resolver's own words say why."""
    (line,) = refusal("ws://nowhere.invalid/", lost)
    assert "nowhere.invalid" in line
    assert "Name or service not known" in line


def test_a_name_is_resolved_once():
    """Every address stands once, in the resolver's order."""
    target = aim("ws://localhost/", resolve=found("::1", "127.0.0.1", "::1"))
    assert target.addresses == ("::1", "127.0.0.1")


# What else can be wrong


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"headers": ["Authorization Bearer x"]}, "allowed: 'Name: value'"),
        ({"headers": ["A\r\nB: c"]}, "allowed: 'Name: value'"),
        ({"headers": ["A: b\r\nC: d"]}, "allowed: 'Name: value'"),
        ({"headers": ["Café: x"]}, "allowed: 'Name: value'"),
        ({"headers": ["Host: elsewhere"]}, "the handshake sets it itself"),
        ({"headers": ["sec-websocket-key: x"]}, "the handshake sets it itself"),
        ({"headers": ["Sec-WebSocket-Protocol: x"]}, "see --subprotocol"),
        ({"subprotocols": ["chat v2"]}, "a word, without commas"),
        ({"subprotocols": ["chat", "chat"]}, "each once"),
        ({"max_clients": 0}, "at least 1"),
        ({"max_connects": 0.0}, "more than 0"),
        ({"max_connects": float("nan")}, "more than 0"),
        ({"restart_command": " "}, "is empty"),
        ({"insecure": True}, "belongs to wss://"),
        ({"cafile": "ca.pem"}, "belongs to wss://"),
    ],
)
def test_bad_options(options, said):
    """One line, which names the option."""
    (line,) = refusal(**options)
    (name,) = options
    assert line.startswith(f"--{name.removesuffix('s')}".replace("_", "-")) or name in (
        "max_clients",
        "max_connects",
    )
    assert said in line


def test_certificates_that_are_none(tmp_path):
    """The file is looked at before anything runs."""
    (tmp_path / "ca.pem").write_text("no certificate")
    (line,) = refusal("wss://localhost/", cafile=tmp_path / "ca.pem")
    assert "holds no certificate in PEM" in line
    (line,) = refusal("wss://localhost/", cafile=tmp_path / "none.pem")
    assert "No such file" in line
    (line,) = refusal("wss://localhost/", cafile=tmp_path / "ca.pem", insecure=True)
    assert "has no effect beside --insecure" in line


def test_everything_at_once():
    """All mistakes are told, not only the first."""
    problems = refusal("ws://a/", ELSEWHERE, headers=["x"], max_clients=-1, insecure=True)
    assert len(problems) == 4


def test_headers_are_kept():
    """Names and values, without the white space around them."""
    headers = ["Authorization: Bearer a:b", "X-Empty:"]
    target = aim("ws://localhost/", headers=headers, subprotocols=["b", "a"], resolve=HERE)
    assert target.headers == (("Authorization", "Bearer a:b"), ("X-Empty", ""))
    assert target.subprotocols == ("b", "a")
