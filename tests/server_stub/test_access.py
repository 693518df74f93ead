"""Who may look, and who may give orders."""

import pytest

from server_stub.access import Access, is_loopback


def status(access, method="POST", **headers):
    """What a request is turned away with; None when it is let in."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    objection = access.objection(method, given)
    return None if objection is None else objection.status


HERE = Access(host="127.0.0.1", token=None)
THERE = Access(host="0.0.0.0", token="secret")


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("LocalHost", True),
        ("0.0.0.0", False),
        ("192.0.2.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_what_leads_to_this_machine_alone(host, is_here):
    """By name or by number."""
    assert is_loopback(host) is is_here


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "localhost"])
def test_on_this_machine_anybody_may_do_anything(host):
    """No token is asked for."""
    assert status(HERE, "GET", Host=host) is None
    assert status(HERE, "POST", Host=host) is None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "", "[::1", "192.0.2.1"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_name_made_to_lead_here_is_found_out(host, method):
    """A page that was fetched from there must not even look."""
    assert status(HERE, method, Host=host) == 403


def test_a_page_of_another_site_gives_no_orders():
    """One of this site may; whoever is no browser sends no origin."""
    assert status(HERE, Host="localhost:1", Origin="http://evil.example") == 403
    assert status(HERE, Host="localhost:1", Origin="null") == 403
    assert status(HERE, Host="localhost:1", Origin="http://localhost:1") is None


@pytest.mark.parametrize(
    ("shown", "answer"),
    [
        ("Bearer secret", None),
        ("bearer secret", None),
        ("Bearer  secret ", None),
        ("Basic secret", 401),
        ("Bearer Secret", 401),
        ("Bearer secre", 401),
        ("Bearer ", 401),
        ("secret", 401),
        ("Bearer s\u00e9cret", 401),
    ],
)
def test_from_elsewhere_orders_need_the_token(shown, answer):
    """In the usual header."""
    assert status(THERE, Host="stub.example", Authorization=shown) == answer


def test_from_elsewhere_anybody_may_look():
    """Health and figures are no secret."""
    assert status(THERE, "GET", Host="stub.example") is None
    assert status(THERE, "POST", Host="stub.example") == 401


def test_a_token_that_was_asked_for_counts_on_this_machine_too():
    """Other users may share it."""
    assert status(Access(host="localhost", token="secret"), Host="localhost") == 401
