"""A grid of scenarios, each run with several seeds: what depends on what, and how surely."""

from simulator.sweeping.grid import Grid, grid_of
from simulator.sweeping.record import Sweep, load_sweep
from simulator.sweeping.runs import sweep

__all__ = ["Grid", "Sweep", "grid_of", "load_sweep", "sweep"]
