"""The one word that a user is shown about a connection, and the banner that shows it, sans-IO."""

import math
from enum import StrEnum
from typing import NamedTuple

from simulator.core.lifecycle import State

QUIET = 2.0
"""Seconds without a connection before a banner shows. A choice: long enough for an immediate retry
to go unnoticed, short enough that nobody types into the void."""


class StatusKind(StrEnum):
    """How things stand, to a user."""

    CONNECTING = "connecting"
    """For the first time."""
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    """The connection is lost, and no attempt has been made yet."""
    RECONNECTING = "reconnecting"
    SERVER_RESTARTING = "server restarting"
    """The server has said so; it stays until the client is connected again."""
    OFFLINE = "offline"
    """There is no network; no attempts are made."""
    FAILED = "failed"
    """The client has given up."""
    CLOSED = "closed"
    """The user has ended it."""


class Status(NamedTuple):
    """How things stand, to a user."""

    kind: StatusKind
    attempt: int = 0
    """While reconnecting: the attempt that is under way or waited for, from 1."""

    def __str__(self) -> str:
        return f"{self.kind} ({self.attempt})" if self.attempt else self.kind.value


_BY_STATE = {
    State.CONNECTED: StatusKind.CONNECTED,
    State.FAILED: StatusKind.FAILED,
    State.CLOSED: StatusKind.CLOSED,
}
"""Where nothing else matters: an open connection is better evidence of a network than any probe."""


def status_of(
    state: State, *, episode: int, attempt: int, online: bool = True, restarting: bool = False
) -> Status:
    """How things stand with a client.

    Args:
        state: Of its lifecycle.
        episode: Of its lifecycle; 0 until it has lost a connection.
        attempt: Of its lifecycle: the one that is under way or waited for.
        online: Whether it believes to have a network.
        restarting: Whether the last connection ended with a code that says so (`is_restart`).
    """
    if (kind := _BY_STATE.get(state)) is not None:
        return Status(kind)
    if not online:
        return Status(StatusKind.OFFLINE)
    if restarting:
        return Status(StatusKind.SERVER_RESTARTING)
    if episode == 0:
        return Status(StatusKind.CONNECTING)
    if state is State.BACKING_OFF and attempt == 1:
        return Status(StatusKind.DISCONNECTED)
    return Status(StatusKind.RECONNECTING, attempt)


_WORDS = {
    StatusKind.CONNECTING: "Connecting to the server",
    StatusKind.DISCONNECTED: "The connection was lost and will be restored",
    StatusKind.RECONNECTING: "Restoring the connection, attempt {attempt}",
    StatusKind.SERVER_RESTARTING: "The server is restarting and will be back soon",
    StatusKind.OFFLINE: "You are offline; what you do is kept until you are back",
    StatusKind.FAILED: "The connection could not be restored; please try again later",
}
"""What a banner says; the other statuses need none."""


def banner_at(status: Status, since: float, quiet: float = QUIET) -> float:
    """When the banner shows, if the status stays what it is; infinite if it needs none.

    Args:
        status: How things stand.
        since: When the client was last connected, or began its life. (Not when the status changed:
            each attempt would start a new quiet period, and the banner might never show.)
        quiet: Seconds before a banner shows; what has failed for good shows at once.
    """
    if status.kind not in _WORDS:
        return math.inf
    return since if status.kind is StatusKind.FAILED else since + quiet


def banner(status: Status, since: float, now: float, quiet: float = QUIET) -> str | None:
    """What to tell the user now; None for nothing. The arguments are those of `banner_at`."""
    if now < banner_at(status, since, quiet):
        return None
    return _WORDS[status.kind].format(attempt=status.attempt)
