"""What a node goes through: a schedule, and orders beside it."""

import math
from functools import partial

import pytest
import trio
import trio.lowlevel

from server_stub.agenda import Agenda, OrderRefusedError
from server_stub.outage import Outage, OutageKind, unfold


class Diary:
    """A node that does as its agenda says, and notes it down."""

    def __init__(self, agenda):
        self.agenda = agenda
        self.entries = []

    async def live(self):
        """Until there is nothing more to come."""
        while (window := await self.agenda.next()) is not None:
            begun = trio.current_time()
            await self.agenda.over()
            self.entries.append((window.index, window.kind, begun, trio.current_time()))


def windows(*spans):
    """Crashes, each from one instant to another."""
    return unfold(Outage(starts_at=a, down_for=b - a, kind="crash") for a, b in spans)


@pytest.fixture
def diary(nursery):
    """A call that starts one, given spans of seconds; needs `autojump_clock`."""

    def start(*spans):
        made = Diary(Agenda(windows(*spans), origin=0.0, takes_orders=True))
        nursery.start_soon(made.live)
        return made

    return start


async def test_a_schedule_alone_is_followed_to_its_end(autojump_clock):
    """Back to back, too."""
    followed = Diary(Agenda(windows((1.0, 2.0), (2.0, 4.0)), origin=0.0))
    await followed.live()
    assert followed.entries == [(0, "crash", 1.0, 2.0), (1, "crash", 2.0, 4.0)]


async def test_an_order_is_carried_out_at_once_and_ends_by_itself(autojump_clock, diary):
    """It gets the next free number."""
    ordered = diary((10.0, 11.0))
    await trio.sleep(3)
    await ordered.agenda.order(OutageKind.FREEZE, down_for=2.0)
    assert ordered.agenda.now_on.kind is OutageKind.FREEZE
    await trio.sleep(10)
    assert ordered.entries == [(1, "freeze", 3.0, 5.0), (0, "crash", 10.0, 11.0)]
    assert ordered.agenda.n_begun == {"freeze": 1, "crash": 1}


async def test_an_order_without_an_end_lasts_until_it_is_recalled(autojump_clock, diary):
    """When `recall` returns, the node is back."""
    ordered = diary()
    await ordered.agenda.order(OutageKind.GRACEFUL)
    assert ordered.agenda.now_on.ends_at == math.inf
    await trio.sleep(7)
    await ordered.agenda.recall()
    assert ordered.agenda.now_on is None
    assert ordered.entries == [(0, "graceful", 0.0, 7.0)]


async def test_a_scheduled_outage_can_be_recalled_too(autojump_clock, diary):
    """The rest of the schedule stays as it is."""
    scheduled = diary((1.0, 9.0), (10.0, 12.0))
    await trio.sleep(2)
    await scheduled.agenda.recall()
    await trio.sleep(11)
    assert scheduled.entries == [(0, "crash", 1.0, 2.0), (1, "crash", 10.0, 12.0)]


async def test_what_was_to_begin_during_an_ordered_outage_does_not_happen(autojump_clock, diary):
    """What comes later does."""
    ordered = diary((5.0, 6.0), (8.0, 9.0))
    await trio.sleep(4)
    await ordered.agenda.order(OutageKind.CRASH, down_for=3.0)
    await trio.sleep(6)
    assert [entry[0] for entry in ordered.entries] == [2, 1]


async def test_orders_that_make_no_sense_are_refused(autojump_clock, diary):
    """In one line."""
    ordered = diary()
    await trio.lowlevel.checkpoint()
    with pytest.raises(OrderRefusedError, match="it is up"):
        await ordered.agenda.recall()
    await ordered.agenda.order(OutageKind.CRASH)
    with pytest.raises(OrderRefusedError, match=r"down already \(crash\)"):
        await ordered.agenda.order(OutageKind.FREEZE)


async def test_a_node_is_taken_down_and_brought_back_by_order(autojump_clock, node, nursery):
    """Like by its schedule: refused meanwhile, and on record."""
    stub = await node()
    client = await stub.connected(at=1.0)
    agenda = Agenda((), origin=0.0, takes_orders=True)
    nursery.start_soon(partial(stub.server.follow, (), origin=0.0, agenda=agenda))
    await trio.testing.wait_all_tasks_blocked()
    await agenda.order(OutageKind.GRACEFUL, down_for=5.0)
    await trio.sleep(1)
    refused = await stub.peer(1)
    await trio.sleep(6)
    assert client.loss == (1012, 1.0)
    assert refused.answer[0] == "refused"
    assert stub.rows("outages") == [(0, 0, 0, 1.0, 6.0)]
