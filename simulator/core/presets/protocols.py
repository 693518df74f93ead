"""Clients of messaging protocols that run over WebSocket."""

import math

from simulator.core.backoff import Policy
from simulator.core.backoff.points import Points
from simulator.core.presets.preset import MILLISECONDS, habits, preset, texts

_GRAPHQL = Policy(
    base=1.0,
    factor=2.0,
    jitter="additive",
    spread=2.7,
    offset=0.3,
    max_attempts=5,
    resolution=MILLISECONDS,
    reset_on="answer",
    reset_after=None,
)
_GRAPHQL_HABITS = habits(
    connect_timeout=None,
    heartbeat=None,
    end=(
        *("1002-1004", "1007-1011", "1015-1999"),
        *(4004, 4005, 4400, 4401, 4406, 4409, 4429, 4500),
    ),
    at_once=(1000,),
)


def _resampled() -> Points:
    """NATS draws its jitter anew each time that it wakes before its time: density u e^u on 0 to 1.

    The distribution is (u - 1) e^u + 1; here it is by sixteenths of u.
    """
    shares = [step / 16 for step in range(16)]
    points = [((share - 1) * math.exp(share) + 1, share) for share in shares]
    return (*points, (1.0, 1.0))


PROTOCOLS = (
    preset(
        "graphql-ws",
        library="graphql-ws, as shipped",
        version="6.4.2",
        licence="MIT",
        source="dist/client.js 14-25, 108-139, 236-238, 292-314",
        rule="1 s, doubling, plus 0.3 to 3 s; five retries at most, but a refused one ends it "
        "all, since the default shouldRetry knows close events alone. Starts over on "
        "connection_ack. No timeouts. At once after 1000; never after most other 1xxx and eight "
        "codes of its own.",
        storm="Harmless to the server, for nobody is left: an outage of 4 s loses every client "
        "for good.",
        policy=_GRAPHQL.model_copy(update={"ends_on_failure": True}),
        client=_GRAPHQL_HABITS,
    ),
    preset(
        "graphql-ws-retrying",
        library="graphql-ws, with shouldRetry: () => true",
        version="6.4.2",
        licence="MIT",
        source="dist/client.js 14-25, 108-139, 236-238, 292-314",
        rule="1 s, doubling, plus 0.3 to 3 s; five retries. The rest as graphql-ws.",
        storm="Spread over 2.7 s whatever the delay; gone after five retries, about 40 s.",
        policy=_GRAPHQL,
        client=_GRAPHQL_HABITS,
    ),
    preset(
        "stompjs",
        library="@stomp/stompjs",
        version="7.5.0",
        licence="Apache-2.0",
        source="src/client.ts 107, 124, 143, 159, 171-199, 850-956",
        rule="5 s, always. No connect timeout; heartbeats every 10 s, dead after 20 s of silence.",
        storm="Lockstep each 5 s; its exponential mode has no jitter either.",
        policy=Policy(growth="constant", base=5.0, reset_on="answer", reset_after=None),
        client=habits(connect_timeout=None, heartbeat=texts(10.0, 10.0)),
    ),
    preset(
        "mqtt",
        library="mqtt (MQTT.js)",
        version="5.16.0",
        licence="MIT",
        source="build/lib/client.js 63-68, 238-250, 441-447, 951-966; handlers/connack.js 38-57; "
        "KeepaliveManager.js 54-75",
        rule="1 s, always. Gives an attempt up after 30 s; pings after 60 s, dead after 90 s. A "
        "broker that opens the socket and then refuses the session (any CONNACK but 0, such as "
        "'server unavailable') ends it all; herd's server says that by closing with 1013, when "
        "what stands behind the handshake has no place.",
        storm="Lockstep each second; and whom a broker is too busy to take is lost for good.",
        policy=Policy(growth="constant", base=1.0, reset_after=None),
        client=habits(connect_timeout=30.0, heartbeat=texts(60.0, 30.0), end=(1013,)),
    ),
    preset(
        "nats",
        library="@nats-io/nats-core, and nats.ws 1.30.3",
        version="3.4.0",
        licence="Apache-2.0",
        source="lib/options.js 29-47, 113-123; lib/protocol.js 469-505, 544-633; lib/servers.js "
        "242-254; lib/ws_transport.js 301-311",
        rule="2 s from the start of the last dial, plus up to 0.1 s: so the first retry after a "
        "connection that lasted is made at once. Ten dials, then never again. Starts over on the "
        "first PONG. Gives a dial up after 20 s; pings every 120 s, dead at the third tick.",
        storm="Everybody at once at first, then within 0.1 s of each other; gone after ten "
        "dials, about 19 s.",
        policy=Policy(
            growth="constant",
            base=2.0,
            jitter="additive",
            spread=0.101,  # a whole number of milliseconds from 0 to 100
            shape=_resampled(),
            count_from="start",
            first_from_start=True,
            max_attempts=10,
            resolution=MILLISECONDS,
            reset_on="answer",
            reset_after=None,
        ),
        client=habits(connect_timeout=20.0, heartbeat=texts(120.0, 240.0)),
    ),
)
