"""What broke each connection whose loss a client has noticed: the server's side of it.

Clients know when they noticed a loss, and how; servers and middleboxes know when they broke a
connection, and in which outage. There may be several such records of one connection, or none.
"""

import numpy as np
from numpy.typing import NDArray

from server_stub.outage import OutageKind
from server_stub.recorder import NO_OUTAGE, NO_USE
from server_stub.tables import Columns
from simulator.core.outcomes import Cause, NoticedBy
from simulator.keys import episode_keys, find, find_last, running_maximum
from simulator.results import select

_ON_THE_WAY = [code for code, kind in enumerate(OutageKind) if kind.is_on_the_way]
_FORGETS = list(OutageKind).index(OutageKind.IDLE_TIMEOUT)
_CAUSES = {
    OutageKind.GRACEFUL: Cause.GRACEFUL,
    OutageKind.CRASH: Cause.CRASH,
    OutageKind.FREEZE: Cause.FREEZE,
    OutageKind.NETWORK: Cause.NETWORK,
    OutageKind.DRAIN: Cause.DRAIN,
    OutageKind.SLOW: Cause.SERVER_LOST,
    OutageKind.COLD: Cause.GRACEFUL,
    OutageKind.IDLE_TIMEOUT: Cause.IDLE_TIMEOUT,
    OutageKind.SERVER_LOST: Cause.SERVER_LOST,
}
"""What each kind of outage is to a connection that it breaks; a slow server breaks none itself."""
_PASSING = [
    code for code, kind in enumerate(OutageKind) if kind in (OutageKind.FREEZE, OutageKind.NETWORK)
]
"""Outages that a connection can outlive."""
_LATE = 0.1
"""Seconds by which a busy machine may notice late what it should have noticed in an outage."""


def breaks_of(
    disconnects: Columns,
    losses: Columns,
    outages: Columns,
    *,
    keeps_books: bool,
    limits_age: bool,
) -> dict[str, NDArray[np.generic]]:
    """When each connection broke, in which outage, and from what cause.

    Where there is no record, the loss counts from its notice: the server is not ours or was
    killed or, if it keeps books and yet a heartbeat went unanswered, it was too busy to answer.
    What no outage broke is part of the server's latest one, which is what it suffers from.

    Args:
        disconnects: The raw ones, n of them.
        losses: The records of connections broken.
        outages: The finished table.
        keeps_books: Has the server left a record of itself?
        limits_age: Does it close connections that have reached their age?

    Returns:
        The columns `broke_at`, `outage` and `cause` of the finished table, each of shape (n,).
    """
    noticed_at = disconnects["noticed_at"]
    row = _noticed_losses(disconnects, losses, outages)
    row = np.where(_outlived(disconnects, losses, outages), -1, row)
    recorded = row >= 0
    broke_at = np.where(recorded, np.append(losses["broke_at"], np.nan)[row], noticed_at)
    broken_by = np.append(losses["outage"], -1)[row]
    of_the_server = select(outages, ~np.isin(outages["kind"], _ON_THE_WAY))
    outage = np.where(recorded, broken_by, _latest_outage(of_the_server, noticed_at))
    cause = np.where(recorded, _causes(outages, outage), Cause.SERVER_LOST)
    if limits_age:
        was_told = disconnects["noticed_by"] == NoticedBy.CLOSE_FRAME
        cause[recorded & (outage == NO_OUTAGE) & was_told] = Cause.LIFETIME
    starved = ~recorded & keeps_books & (disconnects["noticed_by"] == NoticedBy.HEARTBEAT)
    no_use = recorded & (broken_by == NO_USE)
    cause[starved], cause[no_use] = Cause.STARVED, Cause.OVERLOAD
    suffers = starved | no_use
    outage[suffers] = _latest_outage(outages, noticed_at[suffers])
    return {"broke_at": broke_at, "outage": outage, "cause": cause}


def connection_keys(disconnects: Columns) -> NDArray[np.uint64]:
    """Keys of the episodes that the connections had ended which now are lost."""
    return episode_keys({"client": disconnects["client"], "episode": disconnects["episode"] - 1})


def _noticed_losses(disconnects: Columns, losses: Columns, outages: Columns) -> NDArray[np.intp]:
    """Which record of a connection's break is the one that its client noticed; -1 for none.

    There can be several: a freeze that nobody noticed, then a crash; or a restart behind a path
    that was cut, so that the close frame arrives late or never. A client that was told (by a close
    frame, a reset or an end) was told of the last thing that the server did before. One that
    noticed a silence noticed what began it, so that a break within a longer one is none.

    Args:
        disconnects: The raw ones, n of them.
        losses: The records.
        outages: The finished table.

    Returns:
        Rows of `losses`, shape (n,).
    """
    wanted, keys = connection_keys(disconnects), episode_keys(losses)

    def last_of(rows: NDArray[np.intp]) -> NDArray[np.intp]:
        found = find_last(
            wanted, disconnects["noticed_at"], keys=keys[rows], at=losses["broke_at"][rows]
        )
        return np.append(rows, -1)[found]

    kind = np.append(outages["kind"], -1)[find(losses["outage"], outages["outage"])]
    told = last_of(np.flatnonzero(~np.isin(kind, _ON_THE_WAY)))
    silent_since = last_of(np.flatnonzero(~_within_another(losses, outages)))
    broke_at = np.append(losses["broke_at"], -np.inf)
    was_told = ~np.isin(disconnects["noticed_by"], (NoticedBy.HEARTBEAT, NoticedBy.OFFLINE))
    return np.where(was_told & (broke_at[told] >= broke_at[silent_since]), told, silent_since)


def _outlived(disconnects: Columns, losses: Columns, outages: Columns) -> NDArray[np.bool_]:
    """Whether a connection had come through all breaks of it when its client noticed a silence.

    A freeze, or a cut of the network, ends, and what is still open goes on (RULES 15, 16): a
    silence that is noticed only after that has another reason. Shape (n_disconnects,).
    """
    passing = np.isin(outages["kind"], _PASSING)
    over_at = _by_outage(outages["outage"], np.where(passing, outages["ends_at"], np.inf))
    keys = episode_keys(losses)
    order = np.lexsort([losses["broke_at"], keys])
    silent_until = running_maximum(over_at[losses["outage"][order]], keys[order])
    connection = {"client": disconnects["client"], "episode": disconnects["episode"] - 1}
    last = find_last(
        episode_keys(connection),
        disconnects["noticed_at"],
        keys=keys[order],
        at=losses["broke_at"][order],
    )
    outlived: NDArray[np.bool_] = (disconnects["noticed_by"] == NoticedBy.HEARTBEAT) & (
        disconnects["noticed_at"] > np.append(silent_until, np.inf)[last] + _LATE
    )
    return outlived


def _by_outage(outage: NDArray[np.integer], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest value of each outage by its index; -inf for what stands for none: -1, -2."""
    by_index = np.full(outage.max(initial=-1) + 3, -np.inf)
    np.maximum.at(by_index, outage, values)
    return by_index


def _within_another(losses: Columns, outages: Columns) -> NDArray[np.bool_]:
    """Whether a connection was broken by an earlier outage that was still on, shape (n_losses,).

    To a connection that was forgotten, the middlebox that forgot it is never well again.
    """
    healed_at = np.where(outages["kind"] == _FORGETS, np.inf, outages["ends_at"])
    ends_at = _by_outage(outages["outage"], healed_at)
    keys = episode_keys(losses)
    order = np.lexsort([losses["broke_at"], keys])
    latest_end = running_maximum(ends_at[losses["outage"][order]], keys[order])
    follows = np.diff(keys[order], prepend=np.uint64(0)) == 0
    follows[:1] = False
    within = np.empty(order.size, dtype=np.bool_)
    within[order] = follows & (losses["broke_at"][order] < np.roll(latest_end, 1))
    return within


def _latest_outage(outages: Columns, at: NDArray[np.float64]) -> NDArray[np.integer]:
    """Index of the outage that was the last to start before each instant; -1 before the first."""
    order = np.argsort(outages["starts_at"], kind="stable")
    started = np.searchsorted(outages["starts_at"][order], at, side="right")
    latest: NDArray[np.integer] = np.append(outages["outage"][order], -1)[started - 1]
    return latest


def _causes(outages: Columns, outage: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The cause that each of these outages is; none that is known is a lost server."""
    of_kind = np.array([_CAUSES[kind] for kind in OutageKind], dtype=np.uint8)
    causes = np.append(of_kind[outages["kind"]], np.uint8(Cause.SERVER_LOST))
    return causes[find(outage, outages["outage"])]
