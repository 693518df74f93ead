"""Thin wrappers around the browser's WebSocket."""

from simulator.core.backoff import Policy
from simulator.core.presets.preset import MILLISECONDS, habits, preset

SOCKETS = (
    preset(
        "reconnecting-websocket",
        library="reconnecting-websocket",
        version="4.4.0",
        licence="MIT",
        source="reconnecting-websocket.ts 39-49, 309-325, 349-372, 411-435",
        rule="A base of 1 to 5 s, drawn once when the page loads; 1.3 times as long each time, "
        "up to 10 s. Starts over after 5 s connected. Gives an attempt up after 4 s.",
        storm="Spread by its first draw alone: after ten attempts each keeps its place in a beat "
        "of 10 s for good.",
        policy=Policy(
            base=1.0,
            base_spread=4.0,
            factor=1.3,
            cap=10.0,
            resolution=MILLISECONDS,
            reset_after=5.0,
        ),
        client=habits(connect_timeout=4.0, heartbeat=None),
    ),
    preset(
        "partysocket",
        library="partysocket",
        version="1.3.0",
        licence="MIT",
        source="src/ws.ts 126-136, 441-458, 515-533, 615-625 (from dist/ws.js.map)",
        rule="3 s, 1.3 times as long each time, up to 10 s. Starts over after 5 s connected. "
        "Gives an attempt up after 4 s.",
        storm="Lockstep: the fork that replaced the random base by a constant lost all jitter.",
        policy=Policy(base=3.0, factor=1.3, cap=10.0, resolution=MILLISECONDS, reset_after=5.0),
        client=habits(connect_timeout=4.0, heartbeat=None),
    ),
    preset(
        "sockette",
        library="sockette",
        version="2.0.6",
        licence="MIT",
        source="dist/sockette.mjs 6-38",
        rule="1 s, always. Does not come back after 1000, 1001 and 1005.",
        storm="Lockstep each second; and a polite restart (1001) loses its users for good.",
        policy=Policy(growth="constant", base=1.0, reset_after=None),
        client=habits(connect_timeout=None, heartbeat=None, end=(1000, 1001, 1005)),
    ),
    preset(
        "robust-websocket",
        library="robust-websocket",
        version="1.0.0",
        licence="ISC",
        source="robust-websocket.js 105-132, 147-166, 189-208",
        rule="At once, after 3 s, after 10 s, and never again. Starts over on every open socket. "
        "Does not come back after 1000, 1008 and 1011; does at once when the browser says "
        "`online`.",
        storm="Lockstep, and gone after 13 s; a proxy that accepts and then closes makes it a "
        "loop without any delay.",
        policy=Policy(waits=(0.0, 3.0, 10.0), max_attempts=3, reset_after=None),
        client=habits(
            connect_timeout=None, heartbeat=None, end=(1000, 1008, 1011), wakes_online=True
        ),
    ),
)
