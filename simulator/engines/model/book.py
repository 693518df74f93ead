"""A course written down as arrays, many attempts at a time."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.core.outcomes import Outcome
from simulator.engines.model.agenda import Clients
from simulator.engines.model.course import (
    COUNTED,
    INTERVAL_NS,
    Break,
    Course,
    CourseDigest,
    Ended,
    GaveUp,
    Noticed,
    RateKey,
    Recovered,
    joined,
    narrow,
    only,
)
from simulator.engines.model.instants import Instants, in_ns
from simulator.scenario import Scenario

Rows = NDArray[np.bool_] | slice


class Book:
    """Attempts, losses and the server's counts up to the end of the observation."""

    def __init__(self, scenario: Scenario, cohort_of: NDArray[np.uint16]) -> None:
        """Nothing has happened.

        Args:
            scenario: What is run.
            cohort_of: Index of each client's cohort, shape (n_clients,).
        """
        self._end = end = in_ns(scenario.horizon + scenario.grace)
        self._cohort_of = cohort_of
        self._n_cohorts = len(scenario.cohorts)
        self._n_kept = 0
        self._limit = scenario.attempts_limit
        self._kept: list[tuple[Ended, Outcome, NDArray[np.int16]]] | None = []
        """Attempts one by one; None once there were too many."""
        self._n_intervals = end // INTERVAL_NS + 1
        self._n_clients = scenario.n_clients
        self._rates: dict[RateKey, NDArray[np.int64]] = defaultdict(self._no_counts)
        self._rows: dict[str, list[Any]] = defaultdict(list)
        self._bins: dict[str, NDArray[np.int64]] = defaultdict(self._no_counts)
        self._most_waiting, self._most_busy = self._no_counts(), self._no_counts()

    def _no_counts(self) -> NDArray[np.int64]:
        return np.zeros(self._n_intervals, dtype=np.int64)

    # Clients

    def attempts(self, ended: Ended, outcome: Outcome, outage: NDArray[np.int16]) -> None:
        """Dials are over; those after the end of the observation are cut off at it.

        Args:
            ended: The dials.
            outcome: How they ended.
            outage: Which one began the episode of each.
        """
        late = ended.ended_at > self._end
        if late.any():
            cut_off = only(ended, late)._replace(ended_at=self._end)
            self._attempts(cut_off, Outcome.CANCELLED, outage[late])
            ended, outage = only(ended, ~late), outage[~late]
        self._attempts(ended, outcome, outage)
        if outcome is Outcome.CONNECTED:
            self._add("connects", ended.ended_at)

    def _attempts(self, ended: Ended, outcome: Outcome, outage: NDArray[np.int16]) -> None:
        if self._kept is None:
            self._digest(ended, outcome, outage)
            return
        self._kept.append((narrow(ended._replace(outcome=outcome)), outcome, outage))
        self._n_kept += outage.size
        if self._n_kept > self._limit:
            for piece in self._kept:
                self._digest(*piece)
            self._kept = None

    def _digest(self, ended: Ended, outcome: Outcome, outage: NDArray[np.int16]) -> None:
        """Keep of attempts how many there were, and which got through."""
        for (of_outage, cohort), some in self._groups(ended.client, outage):
            counts = np.bincount(ended.due_at[some] // INTERVAL_NS)
            self._rates[of_outage, cohort, int(outcome)][: counts.size] += counts
        if outcome is Outcome.CONNECTED:
            recovered = Recovered(ended.client, ended.episode, ended.attempt, ended.ended_at)
            self._rows["recovered"].append(narrow(recovered))

    def _groups(
        self, clients: Clients, outage: NDArray[np.int16]
    ) -> Iterator[tuple[tuple[int, int], Rows]]:
        """Clients by the outage that began their episode and by their cohort."""
        if not clients.size:
            return
        if self._n_cohorts == 1 and (outage == outage[0]).all():
            yield (int(outage[0]), 0), slice(None)
            return
        keys = outage.astype(np.int64) * self._n_cohorts + self._cohort_of[clients]
        for key in np.unique(keys).tolist():
            yield divmod(key, self._n_cohorts), keys == key

    def losses(
        self, clients: Clients, episode: NDArray[np.uint16], at: Instants, broken: Break
    ) -> None:
        """Clients notice that their connections are lost."""
        noticed = Noticed(
            clients, episode, broken.outage, broken.at, at, broken.noticed_by, broken.close_code
        )
        self._rows["losses"].append(narrow(noticed))
        self._add("losses", np.full(clients.size, broken.at))

    def give_ups(self, clients: Clients, at: Instants) -> None:
        """Clients stop trying."""
        seen = at <= self._end
        self._rows["give_ups"].append(narrow(GaveUp(clients[seen], at[seen])))

    # The server

    def count(self, what: str, at: Instants) -> None:
        """So many more of what the server counts, at these instants."""
        self._add(what, at[at <= self._end])

    def waiting(self, arrives_at: Instants, waiting: NDArray[np.int64]) -> None:
        """How many wait just after these arrivals."""
        np.maximum.at(self._most_waiting, arrives_at // INTERVAL_NS, waiting)

    def starts(self, starts_at: Instants, busy: NDArray[np.int64]) -> None:
        """Services start, so many workers being busy just after that."""
        seen = starts_at <= self._end
        interval = starts_at[seen] // INTERVAL_NS
        np.maximum.at(self._most_busy, interval, busy[seen])
        self._add("started", starts_at[seen])

    def cleared(self, at: int, n_waiting: int, n_served: int) -> None:
        """Everybody at the desk is sent away."""
        self._bins["left the line"][at // INTERVAL_NS] += n_waiting
        self._bins["left a worker"][at // INTERVAL_NS] += n_served

    def _add(self, what: str, at: Instants) -> None:
        if at.size:
            counts = np.bincount(at // INTERVAL_NS)
            self._bins[what][: counts.size] += counts

    # All of it

    def course(self) -> Course:
        """Everything so far."""
        bins = self._bins
        waiting = np.cumsum(bins["admitted"] - bins["started"] - bins["left the line"])
        busy = np.cumsum(bins["started"] - bins["completed"] - bins["left a worker"])
        connected = self._n_clients + np.cumsum(bins["connects"] - bins["losses"])
        before = np.concatenate([[self._n_clients], connected[:-1]])
        digest = self._digested()
        return Course(
            attempts=joined(Ended._fields, [rows for rows, _, _ in self._kept or ()]),
            losses=joined(Noticed._fields, self._rows.pop("losses", [])),
            give_ups=joined(GaveUp._fields, self._rows["give_ups"]),
            digest=digest,
            counts={name: bins[name] for name in COUNTED},
            levels={
                "connected": np.maximum(before + bins["connects"], connected),
                "backlog": np.maximum(self._most_waiting, _before(waiting)),
                "busy_workers": np.maximum(self._most_busy, _before(busy)),
            },
        )

    def _digested(self) -> CourseDigest | None:
        if self._kept is not None:
            return None
        recovered = joined(Recovered._fields, self._rows.pop("recovered", []))
        return CourseDigest(recovered=recovered, rates=self._rates)


def _before(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """What each interval began with, given what each ended with."""
    return np.concatenate([[0], levels[:-1]])
