"""How a run tells whoever waits for it how far it is."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """The state of a run at one instant."""

    at: float
    """Seconds on the run's clock; negative while the fleet assembles."""
    until: float
    """When the run ends at the latest."""
    n_clients: int
    n_connected: int
    n_attempts: int
    """So far."""


Watcher = Callable[[Progress], None]
"""Told of the progress several times a second."""


def unwatched(progress: Progress) -> None:
    """Nobody is interested."""
