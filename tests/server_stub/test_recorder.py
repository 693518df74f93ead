"""What the server writes down about itself."""

import math

import pyarrow as pa
import pytest

from server_stub.messages import Event
from server_stub.outage import Outage, OutageKind, unfold
from server_stub.recorder import INTERVAL, ServerRecorder
from server_stub.tables import LOSSES, OUTAGES, PUBLICATIONS, SERVER, SERVICES, TALLIES
from server_stub.wire import Identity


def rows(recorder, *names):
    """These columns of the `server` table, row by row, with instants in whole intervals."""
    columns = recorder.server.columns()
    at = [round(at / INTERVAL) for at in columns["at"].tolist()]
    return list(zip(at, *(columns[name].tolist() for name in names), strict=True))


def test_counts_are_those_of_the_interval():
    """Each starts at zero; the totals go on."""
    recorder = ServerRecorder()
    for at in (0.001, 0.002, 0.011, 0.025):
        recorder.count(at, "arrivals")
    recorder.count(0.012, "rejected")
    recorder.close(0.03)
    assert rows(recorder, "arrivals", "rejected") == [(0, 2, 0), (1, 1, 0), (2, 1, 1), (3, 0, 0)]
    assert recorder.totals["arrivals"] == 4
    assert recorder.totals["rejected"] == 1


def test_levels_are_the_most_in_the_interval():
    """A peak that has passed within it is not lost."""
    recorder = ServerRecorder()
    for at, level in ((0.001, 3), (0.002, 9), (0.003, 1), (0.015, 2)):
        recorder.level(at, connected=level, backlog=2 * level, busy_workers=1)
    recorder.close(0.015)
    assert rows(recorder, "connected", "backlog", "busy_workers") == [(0, 9, 18, 1), (1, 2, 4, 1)]


def test_an_interval_without_an_event_carries_the_levels_on():
    """What has not changed still stands; nothing is counted."""
    recorder = ServerRecorder()
    recorder.level(0.001, connected=5, backlog=0, busy_workers=0)
    recorder.count(0.001, "arrivals")
    recorder.level(0.001, connected=4, backlog=0, busy_workers=0)
    recorder.count(0.035, "arrivals")
    recorder.close(0.035)
    assert rows(recorder, "connected", "arrivals") == [(0, 5, 1), (1, 4, 0), (2, 4, 0), (3, 4, 1)]


def test_a_level_that_ends_with_its_interval_was_there_at_the_start_of_the_next():
    """The most of an interval counts what it began with."""
    recorder = ServerRecorder()
    recorder.level(0.001, connected=5, backlog=0, busy_workers=0)
    recorder.level(0.012, connected=0, backlog=0, busy_workers=0)
    recorder.close(0.025)
    assert rows(recorder, "connected") == [(0, 5), (1, 5), (2, 0)]


def test_intervals_count_from_the_clocks_zero():
    """Whatever the clock shows when the first thing happens; before that there is no row."""
    recorder = ServerRecorder()
    recorder.count(-0.025, "arrivals")
    recorder.count(0.001, "arrivals")
    recorder.close(0.001)
    assert rows(recorder, "arrivals") == [(-3, 1), (-2, 0), (-1, 0), (0, 1)]


def test_what_cannot_be_seen_is_not_a_number():
    """Only the kernel knows which SYNs it dropped."""
    recorder = ServerRecorder(node=3)
    recorder.count(0.0, "arrivals")
    recorder.close(0.0)
    columns = recorder.server.columns()
    assert math.isnan(columns["dropped"][0])
    assert columns["node"].tolist() == [3]


def test_nothing_happened_is_no_row():
    """A recorder can be closed unused."""
    recorder = ServerRecorder()
    recorder.close(5.0)
    assert rows(recorder) == []
    assert set(recorder.totals.values()) == {0}


def test_services_outages_and_losses_have_their_tables():
    """Instants as the server's clock showed them."""
    recorder = ServerRecorder(node=2)
    recorder.service(1.5, 1.75)
    recorder.loss(Identity(7, 3, 9), 4, 2.25)
    (window,) = unfold([Outage(kind="freeze", starts_at=2.0, down_for=1.0)])
    recorder.outage(window, 2.25, math.inf)
    services, losses, outages = (
        {name: values.tolist() for name, values in table.columns().items()}
        for table in (recorder.services, recorder.losses, recorder.outages)
    )
    assert services == {"at": [1.5], "lag": [0.25]}
    assert losses == {
        "client": [7],
        "episode": [3],
        "outage": [4],
        "node": [2],
        "broke_at": [2.25],
    }
    assert outages == {
        "outage": [0], "kind": [2], "node": [2], "starts_at": [2.25], "ends_at": [math.inf],
    }  # fmt: skip


def test_kinds_are_coded_in_the_order_of_their_labels():
    """So that the labels can tell what a code means."""
    assert OUTAGES.columns[1].labels == tuple(kind.value for kind in OutageKind)


@pytest.mark.parametrize("is_closed", [False, True])
def test_streams_can_be_read_whether_or_not_they_were_closed(tmp_path, is_closed):
    """All that was flushed is there; what happened since then is lost with a kill."""
    recorder = ServerRecorder(tmp_path, node=1)
    recorder.count(0.001, "arrivals")
    recorder.count(0.011, "arrivals")
    recorder.loss(Identity(7, 3, 9), 4, 2.25)
    recorder.service(1.5, 1.75)
    recorder.flush()
    recorder.loss(Identity(8, 3, 9), 4, 2.5)
    if is_closed:
        recorder.close(0.011)
    found = {}
    for schema in (SERVER, LOSSES, SERVICES):
        with pa.ipc.open_stream(str(tmp_path / f"{schema.name}-1.arrows")) as stream:
            found[schema.name] = stream.read_all()
            assert stream.schema == schema.arrow()
    assert {name: table.num_rows for name, table in found.items()} == {
        "server": 1 + is_closed, "losses": 1 + is_closed, "services": 1,
    }  # fmt: skip
    if not is_closed:
        recorder.close(0.011)


def test_events_and_what_was_done_for_whom_are_written_down(tmp_path):
    """For a client to be told apart from what it heard and had done."""
    recorder = ServerRecorder(tmp_path)
    recorder.publication(Event(2, 7), 1.5)
    recorder.tallies({5: 3, 4: 1}, {5: 2})
    recorder.close(2.0)
    found = {}
    for schema in (PUBLICATIONS, TALLIES):
        with pa.ipc.open_stream(str(tmp_path / f"{schema.name}-0.arrows")) as stream:
            found[schema.name] = stream.read_all().to_pylist()
    assert found == {
        "publications": [{"at": 1.5, "epoch": 2, "event": 7}],
        "tallies": [
            {"client": 4, "n_applied": 1, "n_reapplied": 0},
            {"client": 5, "n_applied": 3, "n_reapplied": 2},
        ],
    }
