"""What `herd serve` says before and while it serves."""

from datetime import datetime
from pathlib import Path

import pytest

from server_stub.marks import Mark
from simulator.scenario import Scenario
from simulator.serving.announcing import by_the_clock, schedule, whereabouts
from simulator.serving.ports import Ports
from simulator.serving.terms import Certificate, Terms

NOON = datetime(2026, 1, 1, 12, 0, 0)
SCENARIO = Scenario(
    outage=({"kind": "crash", "starts_at": 1.0, "down_for": 6.5, "every": 60.0, "count": 11},),
    horizon=700.0,
    settle=3.0,
)


def where(terms, address=("127.0.0.1", 8765), http=("127.0.0.1", 8766)):
    """The lines that say where it listens."""
    ports = Ports(port=None, address=address, http=None, http_address=http)
    return list(whereabouts(terms, ports, SCENARIO))


def test_the_first_line_is_where_to_connect():
    """With what it can take."""
    assert where(Terms())[0] == "listening on ws://127.0.0.1:8765; up to 100 handshakes/s"


@pytest.mark.parametrize(
    ("terms", "address", "line"),
    [
        (Terms(host="::1"), ("::1", 1), "listening on ws://[::1]:1;"),
        (Terms(host="0.0.0.0"), ("0.0.0.0", 1), "listening on ws://127.0.0.1:1;"),
        (Terms(tls=True), ("127.0.0.1", 1), "listening on wss://127.0.0.1:1;"),
        (
            Terms(host="stub.local", tls=Certificate(chain=Path("c"), key=Path("k"))),
            ("127.0.0.1", 1),
            "listening on wss://stub.local:1;",
        ),
    ],
)
def test_the_address_can_be_dialled_as_it_stands(terms, address, line):
    """A server that listens everywhere is here, too; a certificate is for a name."""
    assert where(terms, address)[0].startswith(line)


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ("query:id", "the query parameter 'id', as in /?id=7"),
        ("header:x-id", "the header 'x-id'"),
        ("address", "their address"),
    ],
)
def test_it_says_what_tells_clients_apart(mark, words):
    """In words of its own."""
    assert f"  clients are told apart by {words}" in where(Terms(mark=Mark.parse(mark)))


def test_orders_are_shown_with_the_token_that_they_need():
    """To be copied."""
    (line,) = [line for line in where(Terms(token="t")) if "curl" in line]
    assert line == (
        "  orders: curl -X POST -H 'Authorization: Bearer t' "
        "'http://127.0.0.1:8766/api/restart?down_for=5'"
    )


def test_without_http_there_is_no_word_of_it():
    """As told."""
    assert not any("HTTP" in line or "curl" in line for line in where(Terms(), http=None))


def test_the_schedule_is_told_relative_to_its_begin():
    """A long one in part."""
    lines = list(schedule(Terms(), SCENARIO))
    assert lines[0] == "t = 0 is when the first client is connected; then:"
    assert lines[1:3] == ["  crash, 1 to 7.5 s", "  crash, 61 to 67.5 s"]
    assert lines[-2] == "  3 more until 607.5 s"
    assert lines[-1] == (
        "  it ends when everybody has been back for 3 s, at the latest at 700 s, or with Ctrl-C"
    )


def test_the_begin_may_be_another():
    """At once, or with a whole fleet."""
    assert next(schedule(Terms(begin_after=0), SCENARIO)) == "t = 0 is now:"
    assert "when 1,000 clients are connected" in next(schedule(Terms(begin_after=1000), SCENARIO))


def test_it_says_when_it_ends():
    """By the schedule, by the clock, or never."""
    assert list(schedule(Terms(run_for=9.0), SCENARIO))[-1] == (
        "  it ends 9 s after it began to listen, or with Ctrl-C"
    )
    assert list(schedule(Terms(), Scenario()))[1:] == [
        "  no outage is scheduled",
        "  it ends with Ctrl-C",
    ]


def test_by_the_clock():
    """Once t = 0 is known."""
    short = SCENARIO.model_copy(update={"horizon": 35.0})
    assert by_the_clock(Terms(), short, NOON) == (
        "t = 0 is 12:00:00; crash 12:00:01 to 12:00:07; the end at 12:00:35 at the latest"
    )
    assert by_the_clock(Terms(), Scenario(), NOON) == "t = 0 is 12:00:00"
