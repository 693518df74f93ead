"""What a live run sends its herd at: a stub of ours, or a server that is not ours."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from simulator.ending import Sample
from simulator.engines.live.crew import Crew
from simulator.engines.live.way import Way


class Ending(Protocol):
    """Decides when a run is over."""

    def reason(self, sample: Sample) -> str | None:
        """Why the run is over now; None while it goes on."""


class Opponent(Protocol):
    """The part of a live run in which the two differ; a context that lasts as long as the run."""

    @property
    def n_processes(self) -> int:
        """Children of the run that are not workers."""

    @property
    def ending(self) -> Ending:
        """When the run is over."""

    @property
    def n_arrivals(self) -> int:
        """Upgrade requests that have reached the server so far, as far as it tells."""

    @property
    def facts(self) -> Mapping[str, object]:
        """Fields of the manifest that are about it, as things stand."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of the results should know about it, as things stand."""

    def meet(self, crew: Crew, streams: Path) -> Way:
        """See to it that it is there.

        Args:
            crew: For a process of its own.
            streams: Where that is to record.

        Returns:
            How clients reach it.
        """

    def hear(self, message: object) -> None:
        """One of the run's processes has said something that is no worker's progress."""

    def act(self, at: float) -> None:
        """Do what is due; called several times a second.

        Args:
            at: Seconds on the run's clock.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
