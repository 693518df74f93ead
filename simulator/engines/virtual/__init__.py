"""The virtual engine: the same client and server, on a virtual clock and a network in memory."""

from simulator.engines.virtual.engine import run

__all__ = ["run"]
