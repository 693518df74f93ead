"""The stub server's process in a live run."""

from pathlib import Path

import trio

from server_stub.cluster import Cluster
from server_stub.recorder import ServerRecorder
from server_stub.streams import open_ports
from simulator.engines.live import child
from simulator.engines.live.clock import SharedClock
from simulator.engines.live.messages import Listening, NodeAdded, ServerProgress
from simulator.scenario import Scenario

HOST = "127.0.0.1"


def serve(scenario: Scenario, streams: Path, index: int) -> None:
    """Run the stub until the engine says stop; runs in a process of its own.

    Args:
        scenario: Its `server` and `outage` tables are what counts here.
        streams: Where to record.
        index: Which link leads to the engine.

    Raises:
        OSError: A port is in use.
    """
    config, plan = scenario.server, scenario.plan
    ports = open_ports(HOST, config.port, plan.n_places, listen_backlog=config.listen_backlog)
    recorders = [ServerRecorder(streams, node=node) for node in range(plan.n_places)]
    cluster = Cluster(
        config,
        plan,
        ports=ports,
        seed=scenario.seed,
        recorders=recorders,
        load=scenario.load,
        joined=lambda *node: child.link_of(index).send(NodeAdded(*node)),
    )
    origin: list[float] = []
    begun = trio.Event()

    def begin(at: float) -> None:
        origin.append(at)
        begun.set()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(cluster.run)
            child.link_of(index).send(Listening([port.address for port in ports]))
            await begun.wait()
            await cluster.follow(origin=origin[0])

    try:
        child.live(
            index,
            main,
            begin=begin,
            report=lambda: ServerProgress(
                n_arrivals=cluster.n_arrivals, n_unsettled=cluster.n_unsettled
            ),
            flush=cluster.flush,
        )
    finally:
        for recorder in recorders:
            recorder.close(SharedClock().current_time())
