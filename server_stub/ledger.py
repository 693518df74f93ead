"""Operations applied once per idempotency key, and what a copy is answered.

Theory of operation
-------------------
An operation arrives with a key that its client gives it once. If the key is on record, the copy is
answered with the first result and nothing happens. Otherwise the operation is applied, or rejected
for good by a rule; the result is recorded, and only then answered: a server that dies in between
meets the operation again and finds it on record.

The records are bounded. Of each client only the latest `remembered` keys are kept; a copy that
arrives after so many newer operations of its client is taken for a new one and applied again. A
client that sends one operation at a time and waits for the answer, as herd's does, needs one key,
and some more where copies from an earlier connection can linger in a queue; a client that sends
many at once needs as many as it sends.

Beside the keys stands a tally per client: how many of its operations were applied, and a digest of
their keys in the order of application, which `order_of` computes for the order one expects. Tallies
tell what was done, which forgotten keys do not undo. They are never forgotten: a hundred bytes or
so per client ever seen.

All of this is sans-IO; records that outlive the process are in `sqlite_records`.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Annotated, Literal, NamedTuple, Protocol

from pydantic import Field

from server_stub.settings import PositiveCount, Settings

Client = int | str
"""How a client is told apart: herd's own by number, others by what they say or whence they call."""
Rule = Callable[[str], str | None]
"""Looks at a body; returns why such an operation can never be applied, or None."""

REMEMBERED = 64
"""Keys per client: an answer that is lost costs one, so this outlasts any lingering copy of a
client that sends one at a time, at ten kilobytes per client."""
KEY_LIMIT = 128
"""Characters of a key: room for three UUIDs; an unbounded key would unbound the records."""
INVALID_MARK = "invalid:"
"""How a body begins that `marked_invalid` rejects."""
UNORDERED = bytes(8)
"""The digest of no operations."""


class LedgerConfig(Settings):
    """How long a server remembers which operations it has applied."""

    remembered: PositiveCount = REMEMBERED
    """Keys per client, the latest; an older copy is applied again."""
    survives_restart: Annotated[bool, Field(strict=True)] = True
    """Are the keys kept through an outage that ends in a restart (all but a freeze)?"""
    storage: Literal["memory", "sqlite"] = "memory"
    """Where the keys are kept: in memory or, as those that survive the death of a process, in an
    SQLite file beside the records of the run; written before the answer, which takes its time."""


class Result(NamedTuple):
    """What became of an operation."""

    position: int
    """Its place among the applied operations of its client, from 1; 0 if it was rejected."""
    reason: str | None
    """Why it was rejected for good; None if it was applied."""


class Answer(NamedTuple):
    """What the client is told."""

    key: str
    result: Result
    is_duplicate: bool
    """The key was on record: this is the first result."""


class Tally(NamedTuple):
    """What was done for one client, ever."""

    n_applied: int
    order: bytes
    """Digest of the keys in the order of application; see `order_of`."""


class Records(Protocol):
    """Where results live; each change is indivisible, and persisted when the method returns."""

    def find(self, client: Client, key: str) -> Result | None:
        """The result on record."""

    def tally(self, client: Client) -> Tally:
        """What was done for the client."""

    def add(self, client: Client, key: str, result: Result, tally: Tally) -> None:
        """Record a result together with the tally after it; the oldest key may be forgotten."""

    def forget(self) -> None:
        """Drop every key; the tallies stay."""


class Ledger:
    """Applies operations, each once."""

    def __init__(
        self,
        records: Records | None = None,
        *,
        rules: Iterable[Rule] = (),
        survives_restart: bool = True,
    ) -> None:
        """Open the ledger on its records.

        Args:
            records: Where results live; in memory by default.
            rules: The first that gives a reason rejects the operation.
            survives_restart: Whether the keys outlast `restarted`.
        """
        self._records: Records = MemoryRecords() if records is None else records
        self._rules = tuple(rules)
        self._survives_restart = survives_restart
        self.n_applied = 0
        """Operations applied by this object; so are the other counts. Tallies go back further."""
        self.n_duplicates = 0
        """Copies answered with the first result."""
        self.n_rejected = 0

    def apply(self, client: Client, key: str, body: str) -> Answer:
        """Apply an operation unless it has been, and record the result; then it may be answered."""
        if fault := _fault_of(key):  # What cannot be recorded is judged anew each time.
            self.n_rejected += 1
            return Answer(key, Result(0, fault), is_duplicate=False)
        first = self._records.find(client, key)
        if first is not None:
            self.n_duplicates += 1
            return Answer(key, first, is_duplicate=True)
        tally = self._records.tally(client)
        reason = next((reason for rule in self._rules if (reason := rule(body)) is not None), None)
        if reason is None:
            tally = Tally(tally.n_applied + 1, _followed_by(tally.order, key))
            result = Result(tally.n_applied, None)
        else:
            result = Result(0, reason)
        self._records.add(client, key, result, tally)
        self.n_applied += reason is None
        self.n_rejected += reason is not None
        return Answer(key, result, is_duplicate=False)

    def tally(self, client: Client) -> Tally:
        """What was done for a client, ever, in which order."""
        return self._records.tally(client)

    def restarted(self) -> None:
        """The server has restarted: unless they survive that, all keys are forgotten."""
        if not self._survives_restart:
            self._records.forget()


def order_of(keys: Iterable[str]) -> bytes:
    """The digest of a tally after operations with these keys were applied in this order."""
    order = UNORDERED
    for key in keys:
        order = _followed_by(order, key)
    return order


def larger_than(limit: int) -> Rule:
    """A rule against bodies of more than `limit` bytes."""

    def rule(body: str) -> str | None:
        size = len(body.encode(errors="surrogatepass"))
        return f"the body has {size} bytes; {limit} are allowed" if size > limit else None

    return rule


def marked_invalid(body: str) -> str | None:
    """The rule against bodies that say of themselves that they are invalid."""
    return "the operation is invalid" if body.startswith(INVALID_MARK) else None


def _followed_by(order: bytes, key: str) -> bytes:
    return hashlib.blake2b(order + key.encode(), digest_size=len(UNORDERED)).digest()


def _fault_of(key: str) -> str | None:
    if not 0 < len(key) <= KEY_LIMIT:
        return f"a key has 1 to {KEY_LIMIT} characters; this one has {len(key)}"
    try:
        key.encode()
    except UnicodeEncodeError:
        return "a key must be valid Unicode"
    return None


class MemoryRecords:
    """Results in memory: they survive the server they belong to, but not its process."""

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        """Begin without results.

        Args:
            remembered: Keys kept per client, the latest.
        """
        self._remembered = remembered
        self._results: dict[Client, dict[str, int | str]] = {}
        """Of each key the position, or the reason: half the size of a `Result`."""
        self._tallies: dict[Client, Tally] = {}

    def find(self, client: Client, key: str) -> Result | None:
        """The result on record."""
        match self._results.get(client, {}).get(key):
            case int(position):
                return Result(position, None)
            case str(reason):
                return Result(0, reason)
        return None

    def tally(self, client: Client) -> Tally:
        """What was done for the client."""
        return self._tallies.get(client, Tally(0, UNORDERED))

    def add(self, client: Client, key: str, result: Result, tally: Tally) -> None:
        """Record a result together with the tally after it."""
        results = self._results.setdefault(client, {})
        results[key] = result.position if result.reason is None else result.reason
        if len(results) > self._remembered:
            del results[next(iter(results))]
        self._tallies[client] = tally

    def forget(self) -> None:
        """Drop every key; the tallies stay."""
        self._results.clear()

    def close(self) -> None:
        """There is nothing to close."""
