"""What one summary is about: a whole run, one of its outages, or one of its cohorts."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server_stub.tables import SERVER, STAGES, Columns
from simulator.metrics.accounts import NO_ACCOUNTS, Accounts, accounts_of
from simulator.metrics.collapse import metastable, stage_collapsed
from simulator.metrics.episodes import (
    Episodes,
    Mask,
    end_of_observation,
    episodes_of,
)
from simulator.metrics.leaving import left_at
from simulator.metrics.load import Load, load_of
from simulator.metrics.nodes import imbalance
from simulator.metrics.recovery import (
    Changes,
    Recovery,
    Span,
    changes_of,
    recovery_of,
    spans_of,
    watched_until,
)
from simulator.metrics.stages import binding_stage, sync_times
from simulator.results import RunResult, Thresholds, select

_NO_TIMES = np.empty(0)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scope:
    """The records that metrics are computed from; the ramp is in none of them."""

    n_clients: int
    load: Load
    episodes: Episodes
    recoveries: tuple[Recovery, ...]
    """One per outage."""
    server: Columns
    """Without rows where there is no record, or none of just these clients."""
    stages: Columns
    """Likewise."""
    outages: Columns
    services: Columns
    capacity: float
    """Connects per second that get through all that is before the 101; NaN where it is unknown."""
    binding_stage: str
    """The narrowest stage of all."""
    binding_number: int
    """Its place among them; 0 for the server's own workers."""
    sync_times: NDArray[np.float64]
    """Seconds; see `simulator.metrics.stages.sync_times`. Empty where it cannot be told."""
    is_metastable: bool | None
    """None where it cannot be told."""
    limits: Thresholds
    has_server_record: bool
    """Do losses count from the server's record, rather than from the client's notice?"""
    accounts: Accounts
    """What came of the clients' events and operations."""
    imbalance: float
    """Of their connections over the nodes, at the end; see `simulator.metrics.nodes`."""

    @property
    def connects_at(self) -> NDArray[np.float64]:
        """When clients got through again, in any order."""
        return self.episodes.recovered_at[self.episodes.recovered]


class Observation:
    """A run, taken apart once for all the scopes that look at it."""

    def __init__(self, result: RunResult) -> None:
        self._result = result
        self._end = end_of_observation(result)
        self._changes: Changes = changes_of(result)
        self._spans: tuple[Span, ...] = spans_of(result, self._end)
        self._last_span = max(
            self._spans, key=lambda span: (span.ends_at, span.starts_at), default=None
        )
        self._left_at = left_at(result)
        self._affected = [self._clients_of(span) for span in self._spans]
        cohort_of = result.clients["cohort"]
        self._everybody: Mask = np.ones(cohort_of.size, dtype=np.bool_)
        self._until = [
            np.minimum(watched_until(span, self._spans, cohort_of), self._left_at)
            for span in self._spans
        ]
        self.whole = self._observe()

    def outage_scopes(self) -> dict[str, Scope]:
        """One scope per outage by its index: what it set off, up to the start of the next one."""
        return {
            str(span.outage): dataclasses.replace(
                self.whole,
                load=self.whole.load.of_outage(span.outage),
                episodes=self.whole.episodes.where(self.whole.episodes.outage == span.outage),
                recoveries=(recovery,),
                server=_between(self.whole.server, span.starts_at, span.next_starts_at),
                stages=_between(self.whole.stages, span.starts_at, span.next_starts_at),
                services=_between(self.whole.services, span.starts_at, span.next_starts_at),
                sync_times=self.whole.sync_times if span is self._last_span else _NO_TIMES,
                is_metastable=self.whole.is_metastable if span is self._last_span else None,
                accounts=NO_ACCOUNTS,
                imbalance=self._imbalance(self._everybody, span.next_starts_at),
            )
            for span, recovery in zip(self._spans, self.whole.recoveries, strict=True)
        }

    def cohort_scopes(self) -> dict[str, Scope]:
        """One scope per cohort by its name; the server does not know cohorts."""
        return {
            cohort.name: self._cohort_scope(index)
            for index, cohort in enumerate(self._result.scenario.cohorts)
        }

    def _cohort_scope(self, index: int) -> Scope:
        members = self._result.clients["cohort"] == index
        return dataclasses.replace(
            self.whole,
            n_clients=int(np.count_nonzero(members)),
            load=self.whole.load.of_cohort(index),
            episodes=self.whole.episodes.where(self.whole.episodes.cohort == index),
            recoveries=self._recoveries(members),
            server=SERVER.empty(),
            stages=STAGES.empty(),
            sync_times=self.whole.sync_times[members] if self.whole.sync_times.size else _NO_TIMES,
            is_metastable=None,
            accounts={name: counts[members] for name, counts in self.whole.accounts.items()},
            imbalance=self._imbalance(members),
        )

    def _observe(self) -> Scope:
        result = self._result
        binding = binding_stage(result.scenario)
        everybody = self._everybody
        scope = Scope(
            n_clients=everybody.size,
            load=load_of(result, self._end),
            episodes=episodes_of(result, self._end),
            recoveries=self._recoveries(everybody),
            server=select(result.server, result.server["at"] >= 0),
            outages=result.outages,
            stages=select(result.stages, result.stages["at"] >= 0),
            services=select(result.services, result.services["at"] >= 0),
            binding_stage=binding,
            binding_number=result.scenario.server.stage_names.index(binding),
            sync_times=_NO_TIMES,
            capacity=result.capacity,
            is_metastable=False,
            limits=result.manifest.verdict_thresholds,
            has_server_record=result.server["at"].size > 0,
            accounts=accounts_of(result),
            imbalance=self._imbalance(everybody),
        )
        if self._last_span is None:
            return scope
        verdict = metastable(
            scope.server,
            scope.connects_at,
            outages_over_at=self._last_span.ends_at,
            end=self._end,
            capacity=scope.capacity,
        )
        over_at = self._last_span.ends_at
        if verdict is False:
            verdict = stage_collapsed(scope.stages, outages_over_at=over_at, end=self._end)
        times = sync_times(result, over_at) if over_at <= self._end else _NO_TIMES
        return dataclasses.replace(scope, is_metastable=verdict, sync_times=times)

    def _recoveries(self, members: Mask) -> tuple[Recovery, ...]:
        return tuple(
            recovery_of(
                self._changes, span, affected=affected & members, until=until, end=self._end
            )
            for span, affected, until in zip(self._spans, self._affected, self._until, strict=True)
        )

    def _imbalance(self, members: Mask, until: float = math.inf) -> float:
        """Of these clients' connections, at the end of the observation or before that instant."""
        return imbalance(self._result, self._changes, members, min(until, self._end))

    def _clients_of(self, span: Span) -> Mask:
        """Those that an outage disconnected and those of its own still down at its start.

        Who had not come yet by then, or had left for good, is neither.
        """
        touched = span.touches(self._result.clients["cohort"])
        affected = touched & ~self._changes.connected_before(span.starts_at)
        affected &= self._changes.ever_connected_before(span.starts_at)
        affected &= self._left_at >= span.starts_at
        losses = self._result.disconnects
        if self._result.digest is not None:
            losses = self._result.digest.episodes
        affected[losses["client"][losses["outage"] == span.outage]] = True
        return affected


def _between(columns: Columns, starts_at: float, ends_at: float) -> Columns:
    return select(columns, (columns["at"] >= starts_at) & (columns["at"] < ends_at))
