"""The model engine: the arithmetic of a storm alone, for herds that no one machine can hold."""

from simulator.engines.model.engine import run
from simulator.engines.model.scope import check

__all__ = ["check", "run"]
