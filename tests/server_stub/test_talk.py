"""What a connection is for, by its path: echo, publish, subscribe."""

import pytest
from wsproto.events import BytesMessage, Ping, TextMessage

from server_stub.topics import Topics
from server_stub.wire import EVENTS, HERD, Route, RouteKind, route_of


def text(data, **flags):
    """A text message."""
    return TextMessage(data=data, **flags)


@pytest.mark.parametrize(
    ("target", "route"),
    [
        ("/", HERD),
        ("/herd?client=1&episode=0&attempt=1", HERD),
        ("/echo", Route(RouteKind.ECHO)),
        ("/echo/?client=1", Route(RouteKind.ECHO)),
        ("/publish/news", Route(RouteKind.PUBLISH, "news")),
        ("/subscribe/news?client=1", Route(RouteKind.SUBSCRIBE, "news")),
        ("/subscribe/a%20b/c", Route(RouteKind.SUBSCRIBE, "a b/c")),
        ("/subscribe/events", EVENTS),
        ("/subscribe", HERD),
        ("//[::garbage", HERD),
        ("%ff", HERD),
    ],
)
def test_every_path_leads_somewhere(target, route):
    """Whatever a peer makes of it."""
    assert route_of(target) == route


async def test_everything_comes_back_on_the_echo_path(autojump_clock, node):
    """Also what elsewhere is a word of ours; in whole messages."""
    stub = await node(workers=9)
    peer = await stub.peer(target="/echo", at=0.0)
    other = await stub.peer(target="/")
    await stub.peer(target="/", at=1.5)
    for said in (text("ping"), BytesMessage(data=b"\0\1"), text("a", message_finished=False)):
        await peer.says(said)
    await peer.says(text("b"))
    await peer.says(Ping())
    await other.says(text("ping"))
    await stub.peer(target="/", at=3.0)
    assert [said for said, _ in peer.heard] == ["ping", b"\0\1", "ab", "pong frame"]
    assert [said for said, _ in other.heard] == ["pong"]


async def test_what_is_published_reaches_those_who_listen(autojump_clock, node):
    """To one topic, from when they are there until they leave; texts and bytes alike."""
    stub = await node(workers=9)
    speaker = await stub.peer(target="/publish/news", at=0.0)
    listeners = [await stub.peer(target="/subscribe/news") for _ in range(2)]
    elsewhere = await stub.peer(target="/subscribe/sport")
    await stub.peer(target="/", at=2.0)
    await speaker.says(text("one"))
    await speaker.says(BytesMessage(data=b"two"))
    await stub.peer(target="/", at=3.0)
    listeners[0].leaves()
    await listeners[1].says(text("nobody listens to a listener"))
    await stub.peer(target="/", at=4.0)
    await speaker.says(text("three"))
    await stub.peer(target="/", at=5.0)
    assert listeners[0].heard == [("one", 2.0), (b"two", 2.0)]
    assert listeners[1].heard == [("one", 2.0), (b"two", 2.0), ("three", 4.0)]
    assert elsewhere.heard == speaker.heard == []


async def test_the_servers_own_events_can_be_listened_to(autojump_clock, node):
    """By whoever knows nothing of our protocol but the path."""
    stub = await node(history={"rate": 1.0})
    listener = await stub.peer(target="/subscribe/events", at=0.0)
    await stub.peer(target="/", at=2.5)
    assert listener.heard == [('{"t":"event","e":1,"i":3}', 2.0)]


async def test_a_subprotocol_that_a_peer_offers_is_agreed_to(autojump_clock, node):
    """The first one: a browser would hang up otherwise."""
    stub = await node()
    peer = await stub.peer(target="/", subprotocols=["chat", "superchat"])
    await stub.peer(target="/", at=1.5)
    assert peer.answer == (101, 1.0)
    assert peer.subprotocol == "chat"


def test_a_topic_without_listeners_leaves_nothing_behind():
    """However many there have been."""
    topics = Topics()
    for number in range(3):
        topics.join(f"topic {number}", "me")
        topics.leave(f"topic {number}", "me")
    topics.leave("never", "me")
    assert topics.listeners("topic 1") == ()
    assert vars(topics) == {"_listeners": {}}
