"""The command line: `herd`, one module per command, each of which parses and delegates."""

from simulator.cli.app import main

__all__ = ["main"]
