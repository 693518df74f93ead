"""A run as the server alone saw it: its guest book turned into what clients would have recorded.

The server knows of an attempt only once its request has arrived. So an attempt begins with the
arrival, however long ago the client was due or began to dial, and those that found nobody listening
are missing. A connection is lost when the server broke it, or learnt that it was broken.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from server_stub.guests import Answer, Ending
from server_stub.outage import OutageKind
from server_stub.tables import Columns
from simulator.assembly import assemble
from simulator.core.outcomes import Cause, NoticedBy, Outcome
from simulator.errors import InputError
from simulator.keys import episode_keys, find, find_last
from simulator.raw_tables import RawTables
from simulator.results import DISCONNECTS, Manifest, RunResult, as_table, select
from simulator.scenario import ClientConfig, Scenario

UNSEEN = (
    "n_gave_up",
    "n_attempts",
    "amplification",
    "outcomes.refused",
    "outcomes.failed",
    "peak_attempt_rate_100ms",
    "peak_attempt_rate_1s",
    "detection_time_p50",
    "detection_time_p99",
    "generator_lag_p99",
    "generator_lag_max",
)
"""Metrics that a server cannot observe of clients that are not its own."""
UNSEEN_OF_THE_NAMELESS = (
    "reconnect_time_p50",
    "reconnect_time_p95",
    "reconnect_time_p99",
    "reconnect_time_max",
)
"""Those that need to know, moreover, which client came back, rather than how many did."""

AFTERMATH = 1.0
"""Seconds after a thaw within which the server finds out who has left during the freeze."""

_OUTCOMES: Mapping[int, int] = {
    Answer.CONNECTED: Outcome.CONNECTED,
    Answer.REJECTED: Outcome.REJECTED,
    Answer.RESET: Outcome.RESET,
    Answer.LEFT: Outcome.TIMED_OUT,
    Answer.PENDING: Outcome.CANCELLED,
}
_SIGNS: Mapping[int, int] = {
    Ending.TOLD: NoticedBy.CLOSE_FRAME,
    Ending.CLOSED: NoticedBy.CLOSE_FRAME,
    Ending.RESET: NoticedBy.RESET,
    Ending.EOF: NoticedBy.EOF,
}


class NobodyCameError(InputError):
    """No client ever arrived, so there is nothing to look at."""

    def __init__(self) -> None:
        super().__init__("nobody connected: there is nothing to look at")


def without_herd(scenario: Scenario) -> Scenario:
    """The server's half of a scenario: the clients in it are not those that come."""
    return scenario.model_copy(
        update={"client": ClientConfig(), "cohort": (), "compare": (), "objective": ()}
    )


def assemble_seen(raw: RawTables, *, manifest: Manifest, scenario: Scenario) -> RunResult:
    """The result that a server's records amount to.

    Args:
        raw: What it wrote down, with its guest book.
        manifest: As for `assemble`.
        scenario: Its size counts for nothing; as many clients as came will be in the result's.

    Raises:
        NobodyCameError: No client came.
    """
    n_clients = 1 + int(raw.visits["client"].astype(np.int64).max(initial=-1))
    if not n_clients:
        raise NobodyCameError
    own = _on_their_own(raw)
    result = assemble(
        dataclasses.replace(
            raw,
            attempts=_attempts(raw.visits),
            disconnects=_disconnects(raw.departures),
            give_ups=_farewells(select(raw.departures, own), raw.visits),
            losses=_with(raw.losses, select(raw.departures, own)),
        ),
        manifest=manifest,
        scenario=without_herd(scenario).model_copy(update={"n_clients": n_clients}),
        cohort_of=np.zeros(n_clients, dtype=np.uint16),
    )
    return dataclasses.replace(
        result, disconnects=_blamed(result.disconnects, select(raw.departures, own))
    )


def _attempts(visits: Columns) -> Columns:
    return {
        **{name: visits[name] for name in ("client", "episode", "attempt")},
        "node": np.zeros_like(visits["client"]),
        "due_at": visits["arrived_at"],
        "started_at": visits["arrived_at"],
        "ended_at": visits["answered_at"],
        "outcome": _translated(visits["answer"], _OUTCOMES),
    }


def _disconnects(departures: Columns) -> Columns:
    return {
        "client": departures["client"],
        "episode": departures["episode"] + np.uint32(1),
        "noticed_at": departures["left_at"],
        "noticed_by": _translated(departures["ending"], _SIGNS),
        "close_code": departures["close_code"],
    }


def _translated(codes: NDArray[np.uint8], words: Mapping[int, int]) -> NDArray[np.uint8]:
    return np.array([words[code] for code in sorted(words)], dtype=np.uint8)[codes]


def _on_their_own(raw: RawTables) -> NDArray[np.bool_]:
    """Which departures no outage accounts for, shape (n_departures,).

    Whoever leaves a frozen server is found out at the thaw; whoever leaves long after it has
    outlasted the freeze.
    """
    departures, losses, outages = raw.departures, raw.losses, raw.outages
    latest = find_last(
        episode_keys(departures),
        departures["left_at"],
        keys=episode_keys(losses),
        at=losses["broke_at"],
    )
    record = np.append(losses["outage"], -1)[latest]
    row = find(record, outages["outage"])
    ends_at = np.append(outages["ends_at"], np.inf)[row]
    kind = np.append(outages["kind"], len(OutageKind))[row]
    outlasted = (kind == list(OutageKind).index(OutageKind.FREEZE)) & (
        departures["left_at"] > ends_at + AFTERMATH
    )
    own: NDArray[np.bool_] = (record < 0) | outlasted
    return own


def _with(losses: Columns, own: Columns) -> Columns:
    """The records of broken connections, with those that broke by themselves."""
    more = {
        "client": own["client"],
        "episode": own["episode"],
        "outage": np.full(own["client"].size, -1, dtype=np.int16),
        "broke_at": own["left_at"],
    }
    return {name: np.append(losses[name], more[name]) for name in losses}


def _farewells(own: Columns, visits: Columns) -> Columns:
    """Who said goodbye and never came back, and when."""
    last = np.zeros(1 + int(visits["client"].max(initial=0)), dtype=np.uint32)
    np.maximum.at(last, visits["client"], visits["episode"])
    for_good = (own["ending"] == Ending.CLOSED) & (own["episode"] == last[own["client"]])
    return {"client": own["client"][for_good], "gave_up_at": own["left_at"][for_good]}


def _blamed(disconnects: Columns, own: Columns) -> Columns:
    """The disconnects, with the client named as the cause where it closed the connection."""
    closed = select(own, own["ending"] == Ending.CLOSED)
    keys = episode_keys({"client": closed["client"], "episode": closed["episode"] + np.uint32(1)})
    by_client = find(episode_keys(disconnects), keys) >= 0
    cause = np.where(by_client, np.uint8(Cause.CLIENT), disconnects["cause"])
    return as_table(DISCONNECTS, {**disconnects, "cause": cause})
