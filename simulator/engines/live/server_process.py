"""The stub server's process in a live run."""

from pathlib import Path

import trio

from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from server_stub.streams import SocketPort
from simulator.engines.live import child
from simulator.engines.live.clock import SharedClock
from simulator.engines.live.messages import Listening, ServerProgress
from simulator.scenario import Scenario

HOST = "127.0.0.1"


def serve(scenario: Scenario, streams: Path, index: int) -> None:
    """Run the stub until the engine says stop; runs in a process of its own.

    Args:
        scenario: Its `server` and `outage` tables are what counts here.
        streams: Where to record.
        index: Which link leads to the engine.

    Raises:
        OSError: The port is in use.
    """
    config = scenario.server
    port = SocketPort(HOST, config.port, listen_backlog=config.listen_backlog)
    recorder = ServerRecorder(streams)
    server = Server(config, port=port, seed=scenario.seed, recorder=recorder)
    origin: list[float] = []
    begun = trio.Event()

    def begin(at: float) -> None:
        origin.append(at)
        begun.set()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            child.link_of(index).send(Listening(port.address))
            await begun.wait()
            await server.follow(scenario.windows, origin=origin[0])

    try:
        child.live(
            index,
            main,
            begin=begin,
            report=lambda: ServerProgress(n_arrivals=recorder.totals["arrivals"]),
            flush=recorder.flush,
        )
    finally:
        recorder.close(SharedClock().current_time())
