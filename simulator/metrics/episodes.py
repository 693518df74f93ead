"""Episodes: each is one client's way from a loss of connection to being connected again."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from server_stub.tables import Columns
from simulator.core.outcomes import Outcome
from simulator.keys import episode_keys, find
from simulator.metrics.leaving import left_at
from simulator.results import RunResult, select

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Episodes:
    """One row per loss of connection that a client noticed after t = 0; arrays of shape (n,)."""

    client: NDArray[np.uint32]
    cohort: NDArray[np.uint16]
    outage: NDArray[np.int16]
    broke_at: NDArray[np.float64]
    noticed_at: NDArray[np.float64]
    recovered_at: NDArray[np.float64]
    """Infinite for an episode that did not end within the observation."""
    cause: NDArray[np.uint8]
    gave_up: Mask
    """Whether the client stopped trying in this episode."""

    @property
    def n(self) -> int:
        """How many there are."""
        return self.client.size

    @property
    def reconnect_time(self) -> NDArray[np.float64]:
        """Seconds from the loss, not from when it was noticed, to being connected again."""
        return self.recovered_at - self.broke_at

    @property
    def detection_time(self) -> NDArray[np.float64]:
        """Seconds from the loss to the client's knowing of it."""
        return self.noticed_at - self.broke_at

    @property
    def recovered(self) -> Mask:
        """Whether the client was connected again within the observation."""
        return np.isfinite(self.recovered_at)

    def where(self, rows: Mask) -> "Episodes":
        """Some of them."""
        return Episodes(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def end_of_observation(result: RunResult) -> float:
    """Seconds; the horizon, or earlier if the run ended before. What comes later is censored."""
    observed_until = result.manifest.observed_until
    horizon = result.scenario.horizon
    return horizon if observed_until is None else min(horizon, observed_until)


def episodes_of(result: RunResult, end: float) -> Episodes:
    """The episodes that began within the observation; the ramp is none, nor is leaving for good.

    Args:
        result: Any run.
        end: Seconds; end of the observation. Who is back later is censored.
    """
    if result.digest is not None:
        return _digested(result, result.digest.episodes, end)
    noticed_at = result.disconnects["noticed_at"]
    broke_at, whose = result.disconnects["broke_at"], result.disconnects["client"]
    losses = select(
        result.disconnects,
        (noticed_at >= 0) & (noticed_at <= end) & (broke_at != left_at(result)[whose]),
    )
    client, episode = losses["client"], losses["episode"]
    recovered_at = _connected_at(result.attempts, episode_keys(losses))
    recovered_at[recovered_at > end] = np.inf
    return Episodes(
        client=client,
        cohort=result.clients["cohort"][client],
        outage=losses["outage"],
        broke_at=losses["broke_at"],
        noticed_at=losses["noticed_at"],
        recovered_at=recovered_at,
        cause=losses["cause"],
        gave_up=_last_of_those_who_gave_up(result, client, episode) & np.isinf(recovered_at),
    )


def _digested(result: RunResult, episodes: Columns, end: float) -> Episodes:
    """The same from a result that keeps nothing else of them."""
    seen = select(episodes, episodes["noticed_at"] <= end)
    client, episode = seen["client"], seen["episode"]
    recovered_at = np.where(seen["recovered_at"] <= end, seen["recovered_at"], np.inf)
    return Episodes(
        client=client,
        cohort=seen["cohort"],
        outage=seen["outage"],
        broke_at=seen["broke_at"],
        noticed_at=seen["noticed_at"],
        recovered_at=recovered_at,
        cause=seen["cause"],
        gave_up=_last_of_those_who_gave_up(result, client, episode) & np.isinf(recovered_at),
    )


def _last_of_those_who_gave_up(
    result: RunResult, client: NDArray[np.uint32], episode: NDArray[np.uint32]
) -> Mask:
    """Whether an episode is the last of a client that stopped trying."""
    last = np.zeros(result.clients["client"].size, dtype=np.uint32)
    np.maximum.at(last, client, episode)
    stopped: Mask = np.isfinite(result.clients["gave_up_at"])[client] & (episode == last[client])
    return stopped


def _connected_at(attempts: Columns, keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """When an attempt of each of these episodes got through, infinite if none did."""
    columns = {name: attempts[name] for name in ("client", "episode", "ended_at")}
    connects = select(columns, attempts["outcome"] == Outcome.CONNECTED)
    return np.append(connects["ended_at"], np.inf)[find(keys, episode_keys(connects))]
