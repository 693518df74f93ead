"""A client's outbox: operations that reach the server once, in order, whatever dies (sans-IO).

Theory of operation
-------------------
An operation is persisted before anything else happens to it, and stays so until the server has
answered: acknowledged, it is removed; rejected for good, it is set aside with the reason, so that
it does not block those behind it. What waits is therefore always a run of sequence numbers without
a gap, and only the first of them, the *head*, is ever sent.

    waiting --next_to_send--> outstanding --acknowledged--> gone
       ^                           |      --rejected------> set aside
       +--timed_out, disconnected--+

While the head is outstanding nothing else is sent. When its answer does not come, because the time
is up or the connection is lost, nobody knows whether the server has applied it: it is sent again,
under the same key, and the server's ledger tells the copy from a new operation. That is also how
it goes on after the process was killed. An answer counts whenever it comes, be it after the
timeout or from an earlier connection, as long as it is about the head and the head has been sent;
every other answer is about something settled long ago, and changes nothing.

Nothing here waits or looks at a clock. The storage is called where it stands, never in a thread:
a thread would let a virtual clock jump while it works.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

ANSWER_TIMEOUT = 10.0
"""Seconds that a server has to answer an operation: what the description we build from asks for."""

KeyOf = Callable[[int, int], str]
"""Makes the idempotency key of a (client, sequence); no two may share one."""


class Operation(NamedTuple):
    """What a client wants the server to do, once."""

    sequence: int
    """Its place among all operations that this client ever enqueued, from 0."""
    key: str
    """The same in every copy that is sent."""
    body: str
    """What to do; the outbox does not look into it."""
    enqueued_at: float
    """A reading of the clock of the process that enqueued it."""


class Stored(NamedTuple):
    """What a storage holds of one client."""

    next_sequence: int
    """Of the operation that is enqueued next; it never goes back."""
    n_pending: int
    n_set_aside: int


class Storage(Protocol):
    """Where the operations of many clients survive; each change is indivisible and synchronous.

    A method that returns has persisted its change; one that raises has changed nothing.
    """

    def stored(self, client: int) -> Stored:
        """Count what is there."""

    def head(self, client: int) -> Operation | None:
        """The first pending operation."""

    def append(self, client: int, operation: Operation) -> None:
        """Add an operation that has the client's next sequence number, which moves on."""

    def remove(self, client: int, sequence: int) -> None:
        """Drop the head, which has this sequence number."""

    def set_aside(self, client: int, sequence: int, reason: str) -> None:
        """Take the head, which has this sequence number, out of the way and keep it."""


def keys_within(namespace: str) -> KeyOf:
    """Keys that are the same in every run with this namespace.

    Args:
        namespace: Tells apart fleets that talk to the same ledger. A simulation derives it from
            its seed; a storage that starts empty against a ledger that does not needs a new one,
            for its sequence numbers begin at 0 again.
    """
    return lambda client, sequence: f"{namespace}-{client}-{sequence}"


class Outbox:
    """The operations of one client."""

    __slots__ = (
        "_answer_due_at",
        "_client",
        "_connected",
        "_head",
        "_head_was_sent",
        "_key_of",
        "_ready_at",
        "_storage",
        "_timeout",
        "n_acknowledged",
        "n_enqueued",
        "n_sent",
        "n_set_aside",
    )

    def __init__(
        self, client: int, storage: Storage, key_of: KeyOf, *, timeout: float = ANSWER_TIMEOUT
    ) -> None:
        """Open the outbox with what an earlier life of the client has left in the storage.

        Args:
            client: Its number.
            storage: Where the operations survive; it may serve many clients.
            key_of: Makes the keys of new operations; those that wait keep theirs.
            timeout: Seconds that the server has to answer.
        """
        self._client = client
        self._storage = storage
        self._key_of = key_of
        self._timeout = timeout
        self._connected = False
        self._ready_at = math.inf
        self._answer_due_at: float | None = None
        self._head = storage.head(client)
        self._head_was_sent = False
        stored = storage.stored(client)
        self.n_enqueued = stored.next_sequence
        """Operations ever enqueued, by earlier lives too; so are the other counts but `n_sent`."""
        self.n_set_aside = stored.n_set_aside
        self.n_acknowledged = stored.next_sequence - stored.n_pending - stored.n_set_aside
        self.n_sent = 0
        """Copies handed out by `next_to_send` in this life."""

    @property
    def n_pending(self) -> int:
        """Operations that the server has not answered yet."""
        return self.n_enqueued - self.n_acknowledged - self.n_set_aside

    @property
    def deadline(self) -> float:
        """When to call `timed_out` and `next_to_send` next; infinite while nothing is due."""
        if self._answer_due_at is not None:
            return self._answer_due_at
        return self._ready_at if self._connected and self._head is not None else math.inf

    def enqueue(self, body: str, now: float) -> Operation:
        """Persist a new operation; if this raises, there is none."""
        sequence = self.n_enqueued
        operation = Operation(sequence, self._key_of(self._client, sequence), body, now)
        self._storage.append(self._client, operation)
        self.n_enqueued += 1
        if self._head is None:
            self._head = operation
        return operation

    def connected(self, now: float) -> None:
        """A new connection is up: the flush begins at the head, whatever was outstanding before."""
        self._connected = True
        self._ready_at = now
        self._answer_due_at = None

    def disconnected(self) -> None:
        """The connection is lost, and the flush stops."""
        self._connected = False
        self._answer_due_at = None

    def next_to_send(self, now: float) -> Operation | None:
        """The operation to send now, if any; it is outstanding from here on."""
        if not self._connected or self._answer_due_at is not None or self._head is None:
            return None
        self._answer_due_at = now + self._timeout
        self._head_was_sent = True
        self.n_sent += 1
        return self._head

    def timed_out(self, now: float) -> bool:
        """Whether the answer is overdue; if so, the operation is no longer outstanding.

        It is sent again at once: what it has waited is the pause between two copies.
        """
        if self._answer_due_at is None or now < self._answer_due_at:
            return False
        self._answer_due_at = None
        self._ready_at = now
        return True

    def acknowledged(self, key: str) -> bool:
        """The server has applied the operation with this key; returns whether that is news."""
        head = self._sent_head(key)
        if head is None:
            return False
        self._storage.remove(self._client, head.sequence)
        self.n_acknowledged += 1
        self._go_on()
        return True

    def rejected(self, key: str, reason: str) -> bool:
        """The server will never apply the operation with this key; returns whether that is news."""
        head = self._sent_head(key)
        if head is None:
            return False
        self._storage.set_aside(self._client, head.sequence, reason)
        self.n_set_aside += 1
        self._go_on()
        return True

    def _sent_head(self, key: str) -> Operation | None:
        head = self._head
        return head if head is not None and self._head_was_sent and head.key == key else None

    def _go_on(self) -> None:
        self._answer_due_at = None
        self._head_was_sent = False
        self._head = self._storage.head(self._client) if self.n_pending else None
