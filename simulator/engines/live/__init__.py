"""The live engine: kernel sockets, WebSocket handshakes, processes and the wall clock."""

from simulator.engines.live.engine import run

__all__ = ["run"]
