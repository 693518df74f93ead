"""The second port: health, figures and orders."""

import dataclasses
import json
import math
import socket

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from server_stub.access import Access
from server_stub.agenda import OrderRefusedError
from server_stub.http import application, open_port, serve
from server_stub.outage import Outage, OutageKind, unfold
from server_stub.status import Status

(OUTAGE,) = unfold([Outage(kind="crash", starts_at=5.0, down_for=2.0)])


class Node:
    """Does nothing but say what it was told to do."""

    def __init__(self):
        self.now_on = None
        self.heard = []
        self.refusal = None
        self.has_begun = False
        self.thaw = trio.Event()
        self.thaw.set()

    def status(self):
        """Always the same."""
        return Status(
            at=3.5,
            n_connected=7,
            backlog=2,
            busy_workers=1,
            n_clients=9,
            totals={
                "arrivals": 12,
                "admitted": 11,
                "completed": 10,
                "wasted": 3,
                "rejected": 1,
                "malformed": 2,
            },
            n_outages={"crash": 2},
            now_on=self.now_on,
            planned=OUTAGE,
        )

    async def thawed(self):
        """As long as the test wants."""
        await self.thaw.wait()

    def orders(self):
        """To itself, unless it refuses."""
        if self.refusal:
            raise OrderRefusedError(self.refusal)
        return self

    def begin(self):
        """Noted."""
        self.has_begun = True

    async def order(self, kind, *, down_for=math.inf):
        """Noted."""
        self.heard.append((kind, down_for))

    async def recall(self):
        """Noted."""
        self.heard.append("recall")


@pytest.fixture
def node():
    """The node that the port is about."""
    return Node()


@pytest.fixture
def client(node):
    """Talks to the application without a port."""
    return application(node, Access(host="localhost", token=None), down_for=4.0).test_client()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_health_goes_down_with_the_node(client, node, method):
    """The body says the same."""
    up = await client.open("/api/health", method=method)
    node.now_on = OUTAGE
    down = await client.open("/api/health", method=method)
    assert (up.status_code, down.status_code) == (200, 503)
    if method == "GET":
        assert [await answer.get_json() for answer in (up, down)] == [
            {"status": "up"},
            {"status": "down"},
        ]


async def test_a_frozen_node_says_nothing_of_its_health_until_the_thaw(client, node, nursery):
    """But looks as it is to whoever asks for its state."""
    node.thaw = trio.Event()
    answers = []

    async def ask():
        answers.append(await client.get("/api/health"))

    nursery.start_soon(ask)
    await trio.testing.wait_all_tasks_blocked()
    assert (await client.get("/api/state")).status_code == 200
    assert answers == []
    node.thaw.set()
    await trio.testing.wait_all_tasks_blocked()
    assert [answer.status_code for answer in answers] == [200]


async def test_the_state_is_plain_json(client, node):
    """An end that nobody knows is null."""
    node.now_on = dataclasses.replace(OUTAGE, ends_at=math.inf)
    state = await (await client.get("/api/state")).get_json()
    assert state == {
        "at": 3.5,
        "up": False,
        "connections": 7,
        "backlog": 2,
        "busy_workers": 1,
        "clients": 9,
        "counts": {
            "arrivals": 12,
            "admitted": 11,
            "completed": 10,
            "wasted": 3,
            "rejected": 1,
            "malformed": 2,
        },
        "outage": {
            "now": {"kind": "crash", "starts_at": 5.0, "ends_at": None},
            "next": {"kind": "crash", "starts_at": 5.0, "ends_at": 7.0},
        },
    }


async def test_prometheus_can_read_the_figures(client):
    """By its own parser."""
    answer = await client.get("/metrics")
    assert answer.content_type.startswith("text/plain")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families((await answer.get_data()).decode())
        for sample in family.samples
    }
    assert samples == {
        ("herd_up",): 1.0,
        ("herd_connections",): 7.0,
        ("herd_backlog",): 2.0,
        ("herd_busy_workers",): 1.0,
        ("herd_clients",): 9.0,
        ("herd_arrivals_total",): 12.0,
        ("herd_admitted_total",): 11.0,
        ("herd_completed_total",): 10.0,
        ("herd_wasted_total",): 3.0,
        ("herd_rejected_total",): 1.0,
        ("herd_malformed_total",): 2.0,
        ("herd_outages_total", "crash"): 2.0,
    }


@pytest.mark.parametrize(
    ("order", "heard"),
    [
        ("stop", (OutageKind.GRACEFUL, math.inf)),
        ("stop?kind=crash", (OutageKind.CRASH, math.inf)),
        ("start", "recall"),
        ("restart", (OutageKind.GRACEFUL, 4.0)),
        ("restart?kind=crash&down_for=0.5", (OutageKind.CRASH, 0.5)),
        ("freeze", (OutageKind.FREEZE, 4.0)),
        ("freeze?down_for=30", (OutageKind.FREEZE, 30.0)),
    ],
)
async def test_orders_reach_the_node(client, node, order, heard):
    """The answer is the state after it."""
    answer = await client.post(f"/api/{order}")
    assert answer.status_code == 200
    assert "connections" in await answer.get_json()
    assert node.heard == [heard]


async def test_the_schedule_can_be_told_to_begin(client, node):
    """Without waiting for a client."""
    assert (await client.post("/api/begin")).status_code == 200
    assert node.has_begun


@pytest.mark.parametrize(
    "order",
    [
        "stop?kind=freeze",
        "restart?kind=",
        "restart?down_for=0",
        "freeze?down_for=inf",
        "freeze?down_for=nan",
        "freeze?down_for=soon",
    ],
)
async def test_orders_that_make_no_sense_are_refused(client, node, order):
    """With what is allowed."""
    answer = await client.post(f"/api/{order}")
    assert answer.status_code == 400
    assert "allowed" in (await answer.get_json())["error"]
    assert node.heard == []


async def test_orders_that_the_node_refuses_are_a_conflict(client, node):
    """In its own words."""
    node.refusal = "it is down already (crash)"
    answer = await client.post("/api/stop")
    assert answer.status_code == 409
    assert await answer.get_json() == {"error": node.refusal}


async def test_looking_is_no_order(client, node):
    """A link cannot stop a server."""
    assert (await client.get("/api/stop")).status_code == 405
    assert node.heard == []


async def test_whoever_may_not_is_told_why(node):
    """And nothing is done."""
    guarded = application(node, Access(host="::", token="t"), down_for=1.0).test_client()
    refused = await guarded.post("/api/stop")
    assert refused.status_code == 401
    assert "Bearer" in (await refused.get_json())["error"]
    allowed = await guarded.post("/api/stop", headers={"Authorization": "Bearer t"})
    assert allowed.status_code == 200


async def test_it_answers_on_a_real_port_and_gives_it_back(node):
    """Once it has started, and until it is cancelled."""
    listening = open_port("127.0.0.1", 0)
    address = listening.getsockname()
    access = Access(host="127.0.0.1", token=None)
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda **k: serve(node, listening, access=access, down_for=1.0, **k))
        async with await trio.open_tcp_stream(*address) as stream:
            request = f"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1:{address[1]}\r\n\r\n"
            await stream.send_all(request.encode())
            answer = b""
            while b"\r\n\r\n{" not in answer or not answer.rstrip().endswith(b"}"):
                answer += await stream.receive_some()
        nursery.cancel_scope.cancel()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["connections"] == 7
    socket.create_server(address).close()
