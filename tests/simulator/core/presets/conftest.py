"""A client of a preset, without anything around it."""

import pytest

from server_stub.draws import Purpose, uniform
from simulator.core.lifecycle import Failed, Lifecycle
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.core.presets import PRESETS

SEED = 3


class Client:
    """One client, told what happens; instants in seconds, delays as it announces them."""

    def __init__(self, name, number=0, *, lasted=1000.0):
        self.policy = PRESETS[name].policy
        self.habits = PRESETS[name].client
        self.now = -lasted
        self.life = Lifecycle(
            number,
            self.policy,
            lambda episode, attempt: uniform(SEED, Purpose.BACKOFF, number, episode, attempt),
            due_at=self.now,
            own=uniform(SEED, Purpose.OWN, number),
        )
        self.started_at = self.now
        self.life.opened(self.now, self.now)
        self.life.answered(self.now)
        self.now = 0.0

    def lose(self):
        """The connection is gone; seconds to the next attempt, None for never again."""
        return self._waits(self.life.lost(self.now, NoticedBy.RESET, 1006, "")[-1])

    def dial(self):
        """The attempt that is waited for begins."""
        self.now = self.started_at = self.life.due_at
        self.life.dial()

    def fail(self, after=0.001):
        """The attempt fails so many seconds after its start; seconds to the next, or None."""
        self.now = self.started_at + after
        return self._waits(self.life.attempt_failed(self.started_at, self.now, Outcome.REFUSED)[-1])

    def open(self, *, answered=True):
        """The attempt leads to a connection, on which the server's application answers."""
        self.life.opened(self.started_at, self.now)
        if answered:
            self.life.answered(self.now)

    def hang(self):
        """The attempt gets no answer; how long it goes on, and seconds to the next, or None."""
        timeout = self.habits.get("connect_timeout")
        patience = self.life.patience_ends_at(self.started_at, timeout) - self.started_at
        return patience, self.fail(patience)

    def _waits(self, step):
        return None if isinstance(step, Failed) else step.delay


@pytest.fixture
def client():
    """Makes a client of a preset whose connection has lasted, by the preset's name."""
    return Client


@pytest.fixture
def flaps():
    """Delays of a client whose every attempt is let in, and dropped a second later."""

    def of(name, n, *, answered, number=0):
        client = Client(name, number)
        waits = [client.lose()]
        while len(waits) < n and waits[-1] is not None:
            client.dial()
            client.open(answered=answered)
            client.now += 1.0
            waits.append(client.lose())
        return waits

    return of
