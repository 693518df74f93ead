"""A course written down as arrays, many attempts at a time."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.core.outcomes import Outcome
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
    Series,
    joined,
    narrow,
    only,
)
from simulator.engines.model.dealing import Nodes
from simulator.engines.model.desk_book import DeskBook
from simulator.engines.model.instants import Instants, in_ns
from simulator.engines.model.keys import Clients
from simulator.engines.model.stations import Station
from simulator.scenario import Scenario

OF_STAGES = ("arrivals", "admitted", "completed", "wasted", "rejected", "waited")
"""What the `stages` table counts."""
_MOST_ROWS = 400_000
"""Nodes times intervals beyond which what the nodes did is counted together."""
Rows = NDArray[np.bool_] | slice


class Book:
    """Attempts, losses and the server's counts up to the end of the observation."""

    def __init__(
        self, scenario: Scenario, cohort_of: NDArray[np.uint16], stations: Sequence[Station]
    ) -> None:
        """Nothing has happened.

        Args:
            scenario: What is run.
            cohort_of: Index of each client's cohort, shape (n_clients,).
            stations: Where connects are served.
        """
        self._end = end = in_ns(scenario.horizon + scenario.grace)
        self._cohort_of = cohort_of
        self._n_cohorts = len(scenario.cohorts)
        self._n_kept = 0
        self._limit = scenario.attempts_limit
        self._kept: list[tuple[Ended, Outcome, NDArray[np.int16]]] | None = []
        """Attempts one by one; None once there were too many."""
        n_intervals = end // INTERVAL_NS + 1
        self._n_intervals = n_intervals
        self._rates: dict[RateKey, NDArray[np.int64]] = defaultdict(self._no_counts)
        self._rows: dict[str, list[Any]] = defaultdict(list)
        n_nodes = scenario.server.nodes
        self._together = n_nodes > 1 and n_nodes * n_intervals > _MOST_ROWS
        self._desks = [
            DeskBook(station.desks.n_groups, n_intervals, together=self._together)
            for station in stations
        ]

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

    def connects(self, nodes: Nodes, at: Instants) -> None:
        """Clients get connections."""
        self.count(0, "connects", nodes, at)

    def losses(
        self,
        clients: Clients,
        episode: NDArray[np.uint16],
        at: Instants,
        broken: Break,
        nodes: Nodes,
    ) -> None:
        """Clients notice that their connections, which these nodes held, are lost."""
        noticed = Noticed(
            clients, episode, broken.outage, broken.at, at, broken.noticed_by, broken.close_code
        )
        self._rows["losses"].append(narrow(noticed))
        self.count(0, "losses", nodes, np.full(clients.size, broken.at))

    def give_ups(self, clients: Clients, at: Instants) -> None:
        """Clients stop trying."""
        seen = at <= self._end
        self._rows["give_ups"].append(narrow(GaveUp(clients[seen], at[seen])))

    # The server

    def count(self, station: int, what: str, group: Nodes, at: Instants) -> None:
        """So many more of what is counted at a station, at these instants."""
        seen = at <= self._end
        if not seen.all():
            at, group = at[seen], group[seen]
        self._desks[station].count(what, group, at)

    def waiting(
        self, station: int, group: Nodes, joins_at: Instants, waiting: NDArray[np.int64]
    ) -> None:
        """How many wait at a station just after each of these has joined it."""
        self._desks[station].waiting(group, joins_at, waiting)

    def starts(
        self, station: int, group: Nodes, starts_at: Instants, busy: NDArray[np.int64]
    ) -> None:
        """Services start, so many workers being busy just after that."""
        seen = starts_at <= self._end
        if not seen.all():
            group, starts_at, busy = group[seen], starts_at[seen], busy[seen]
        self._desks[station].count("started", group, starts_at)
        self._desks[station].busy(group, starts_at, busy)

    def waited(
        self, station: int, group: Nodes, departs_at: Instants, waited: NDArray[np.int64]
    ) -> None:
        """Services have ended; for how long their jobs had waited. Only stages ask for that."""
        if len(self._desks) == 1:
            return
        seen = departs_at <= self._end
        self._desks[station].add("waited", group[seen], departs_at[seen], waited[seen])

    def cleared(self, station: int, group: int, at: int, left: Mapping[str, int]) -> None:
        """Those `waiting` and `busy` at a queue are sent away."""
        if at <= self._end:
            self._desks[station].cleared(group, at, left)

    # All of it

    def course(self, n_connected: Sequence[int]) -> Course:
        """Everything so far.

        Args:
            n_connected: How many clients each node held at first.
        """
        door = self._desks[0]
        held = np.array([sum(n_connected)] if self._together else n_connected)[:, np.newaxis]
        connects = door.counts("connects")
        connected = held + np.cumsum(connects - door.counts("losses"), axis=1)
        before = np.concatenate([held, connected[:, :-1]], axis=1)
        digest = self._digested()
        return Course(
            attempts=joined(Ended._fields, [rows for rows, _, _ in self._kept or ()]),
            losses=joined(Noticed._fields, self._rows.pop("losses", [])),
            give_ups=joined(GaveUp._fields, self._rows["give_ups"]),
            digest=digest,
            counts={name: _by_node(door.counts(name)) for name in COUNTED},
            levels={
                "connected": _by_node(np.maximum(before + connects, connected)),
                "backlog": _by_node(door.levels("waiting")),
                "busy_workers": _by_node(door.levels("busy")),
            },
            stages=dict(enumerate(map(_columns, self._desks))) if len(self._desks) > 1 else {},
            together=self._together,
        )

    def _digested(self) -> CourseDigest | None:
        if self._kept is not None:
            return None
        recovered = joined(Recovered._fields, self._rows.pop("recovered", []))
        return CourseDigest(recovered=recovered, rates=self._rates)


def _columns(desk: DeskBook) -> Mapping[str, Series]:
    return {
        **{name: desk.counts(name) for name in OF_STAGES},
        "backlog": desk.levels("waiting"),
        "busy_workers": desk.levels("busy"),
    }


def _by_node(rows: Series) -> Series:
    """One node needs no row of its own."""
    return rows[0] if rows.shape[0] == 1 else rows
