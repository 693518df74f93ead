"""Bugs that random schedules have found, each by a small schedule that shows it."""

import pytest

from .schedule import Schedule
from .shrinking import violations_of

FOUND = {
    # A request that was being read when the server froze was served after the restart at the thaw,
    # although its stream had been reset: the server kept a connection to nobody for ever.
    "a connection to nobody": """
        [wire]
        latency = 0.04
        [scenario]
        seed = 1
        n_clients = 1
        horizon = 1e6
        ramp_rate = 20.0
        outage = [
            { kind = "crash", starts_at = 1.0, down_for = 0.1 },
            { kind = "freeze", starts_at = 1.53, down_for = 0.3, lost_at_thaw = true },
        ]
        [scenario.client]
        policy = { growth = "constant", base = 0.5 }
        """,
    # What had waited for a path to heal and found no room in the peer's buffer was dropped, on a
    # connection that went on without it.
    "a hole in a stream": """
        act = [
            { at = 1.001, client = 0, what = "big-text" },
            { at = 1.002, client = 0, what = "big-text" },
            { at = 1.003, client = 0, what = "big-text" },
        ]
        [wire]
        latency = 0.0
        [scenario]
        n_clients = 1
        horizon = 1e6
        ramp_rate = 20.0
        outage = [{ kind = "network", starts_at = 1.0, down_for = 1.0 }]
        [scenario.client]
        operation_rate = 2.0
        """,
    # A client that went offline before its very first attempt was not woken when it came online.
    "offline from the beginning": """
        act = [
            { at = 0.01, client = 0, what = "offline" },
            { at = 0.5, client = 0, what = "online" },
        ]
        [wire]
        latency = 0.0
        [scenario]
        n_clients = 1
        horizon = 1e6
        ramp_rate = 20.0
        [scenario.client]
        network_monitor = { interval = "none" }
        """,
    # A client in the middle of a sentence that a frozen server did not take had no heartbeat.
    "nobody takes what is sent": """
        act = [
            { at = 1.1, client = 0, what = "big-text" },
            { at = 1.2, client = 0, what = "big-text" },
            { at = 1.3, client = 0, what = "big-text" },
        ]
        [wire]
        latency = 0.0
        [scenario]
        n_clients = 1
        horizon = 1e6
        ramp_rate = 20.0
        outage = [{ kind = "freeze", starts_at = 1.0, down_for = 5.0 }]
        [scenario.client]
        heartbeat = { interval = 1.0, timeout = 0.5 }
        """,
}


@pytest.mark.parametrize("schedule", FOUND.values(), ids=FOUND.keys())
def test_it_does_not_come_back(schedule):
    """Every promise is kept."""
    assert violations_of(Schedule.from_toml(schedule)) == []
