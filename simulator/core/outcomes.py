"""How attempts and connections end: the codes that clients record and tables hold."""

from enum import IntEnum


class Outcome(IntEnum):
    """How one attempt to connect ended."""

    CONNECTED = 0
    """The 101 response arrived."""
    REFUSED = 1
    """Nobody listens there."""
    REJECTED = 2
    """The server answered with another HTTP status than 101."""
    TIMED_OUT = 3
    """The client waited for `connect_timeout` and gave this attempt up."""
    RESET = 4
    """The connection was reset before the answer."""
    EOF = 5
    """The connection was closed before the answer, or the answer made no sense."""
    FAILED = 6
    """This machine could not even try (no port, no file descriptor ...)."""
    CANCELLED = 7
    """The run ended while the attempt was under way."""


class Cause(IntEnum):
    """What broke a connection."""

    GRACEFUL = 0
    CRASH = 1
    FREEZE = 2
    DRAIN = 3
    NETWORK = 4
    IDLE_TIMEOUT = 5
    SERVER_LOST = 6
    """No outage accounts for it."""
    CLIENT = 7
    """The client closed it."""
    LIFETIME = 8
    """It had reached its age, and its node closed it."""


class NoticedBy(IntEnum):
    """How a client learnt that its connection was lost."""

    CLOSE_FRAME = 0
    RESET = 1
    EOF = 2
    HEARTBEAT = 3
    OFFLINE = 4


def labels(codes: type[IntEnum]) -> tuple[str, ...]:
    """The names of codes 0, 1, 2 ... as tables and summaries print them."""
    return tuple(code.name.lower() for code in codes)
