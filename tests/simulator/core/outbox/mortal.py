"""A storage during whose changes a process may die, and short words for what an outbox holds."""

from simulator.core.outbox import keys_within

KEY_OF = keys_within("42")


class KilledError(Exception):
    """The process dies here."""


class Mortal:
    """A storage during whose next change the process can be killed: before it, or after."""

    CHANGES = ("append", "remove", "set_aside")

    def __init__(self, storage):
        self.storage = storage
        self.killed = None
        self.log = []

    def __getattr__(self, name):
        method = getattr(self.storage, name)
        return self._mortal(name, method) if name in self.CHANGES else method

    def _mortal(self, name, method):
        def change(*arguments):
            if self.killed == "before":
                raise KilledError
            method(*arguments)
            self.log.append(name)
            if self.killed == "after":
                raise KilledError

        return change


def counts(outbox):
    """Enqueued, acknowledged, set aside, pending."""
    return outbox.n_enqueued, outbox.n_acknowledged, outbox.n_set_aside, outbox.n_pending


def key(sequence):
    """The key of one of client 7's operations."""
    return KEY_OF(7, sequence)
