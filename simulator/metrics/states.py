"""What every client of the fleet is doing, counted over time, from t = 0 on."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from server_stub.tables import Columns
from simulator.core.outcomes import Outcome
from simulator.keys import running_maximum
from simulator.metrics.episodes import end_of_observation
from simulator.metrics.series import steps_within
from simulator.results import RunResult


class FleetState(IntEnum):
    """What a client is doing, as far as an onlooker can tell from its record."""

    CONNECTED = 0
    DIALLING = 1
    """An attempt is under way."""
    WAITING = 2
    """Between two attempts, or between a loss and the first one."""
    UNAWARE = 3
    """Its connection is broken and it has not noticed."""
    GAVE_UP = 4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FleetStates:
    """How many clients were in each state: exact, one step per change."""

    edges: NDArray[np.float64]
    """Seconds; as in `ShareConnected`, shape (n + 1,)."""
    counts: NDArray[np.float64]
    """Clients, shape (n_states, n), rows as in `FleetState`; each column adds up to the fleet."""

    @property
    def client_seconds(self) -> NDArray[np.float64]:
        """Time that all clients together spent in each state, shape (n_states,)."""
        return self.counts @ np.diff(self.edges)

    def averaged(self, n_steps: int) -> "FleetStates":
        """The same in equal steps, each the average over its time; for drawing.

        Args:
            n_steps: How many.
        """
        edges = np.linspace(self.edges[0], self.edges[-1], n_steps + 1)
        durations = np.diff(self.edges)
        spent = np.pad(np.cumsum(self.counts * durations, axis=1), ((0, 0), (1, 0)))
        spent = np.stack([np.interp(edges, self.edges, row) for row in spent])
        return FleetStates(edges=edges, counts=np.diff(spent, axis=1) / np.diff(edges))


def fleet_states(result: RunResult) -> FleetStates:
    """The states that all clients went through, counted."""
    before, after, at, at_first = _transitions(result)
    counts = [
        np.cumsum(np.append(at_first[state], np.int64(after == state) - (before == state)))
        for state in FleetState
    ]
    edges, steps = steps_within(at, np.stack(counts), end_of_observation(result))
    return FleetStates(edges=edges, counts=steps.astype(np.float64))


def _transitions(
    result: RunResult,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64], NDArray[np.intp]]:
    """Every change of state, sorted by instant.

    A client's changes are put in their causal order, and none happens before an earlier one: a
    server can record that a connection broke before the client knows that it was made.

    Returns:
        The state left and the state entered, shape (n,); the instants in seconds, shape (n,); and
        how many clients begin in each state, shape (n_states,).
    """
    moves = _moves(result)
    order = np.lexsort([moves["position"], moves["episode"], moves["client"]])
    client, state = moves["client"][order], moves["state"][order].astype(np.uint8)
    first = np.diff(client, prepend=-1) > 0
    initial = _initial_states(result)
    before = np.where(first, initial[client], np.roll(state, 1))
    at = running_maximum(moves["at"][order], client)
    in_time = np.argsort(at, kind="stable")
    at_first = np.bincount(initial, minlength=len(FleetState))
    return before[in_time], state[in_time], at[in_time], at_first


def _initial_states(result: RunResult) -> NDArray[np.uint8]:
    """Waiting for their first dial; connected where no ramp is on record, shape (n_clients,)."""
    initial = np.full(result.clients["client"].size, FleetState.CONNECTED, dtype=np.uint8)
    initial[result.attempts["client"][result.attempts["episode"] == 0]] = FleetState.WAITING
    return initial


def _moves(result: RunResult) -> Columns:
    """What puts clients into states: columns client, episode, position in it, at, state."""
    attempts, losses = result.attempts, result.disconnects
    gave_up = np.flatnonzero(np.isfinite(result.clients["gave_up_at"]))
    ended = np.where(
        attempts["outcome"] == Outcome.CONNECTED, FleetState.CONNECTED, FleetState.WAITING
    )
    attempt = attempts["attempt"].astype(np.int64)
    last = np.iinfo(np.uint32).max
    parts = (
        (losses, losses["episode"], 0, losses["broke_at"], FleetState.UNAWARE),
        (losses, losses["episode"], 1, losses["noticed_at"], FleetState.WAITING),
        (attempts, attempts["episode"], 2 * attempt, attempts["started_at"], FleetState.DIALLING),
        (attempts, attempts["episode"], 2 * attempt + 1, attempts["ended_at"], ended),
        ({"client": gave_up}, last, 0, result.clients["gave_up_at"][gave_up], FleetState.GAVE_UP),
    )
    rows = [
        np.broadcast_arrays(table["client"].astype(np.int64), episode, position, at, state)
        for table, episode, position, at, state in parts
    ]
    names = ("client", "episode", "position", "at", "state")
    return {
        name: np.concatenate(column)
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
