"""Clients of hosted services, and of one server that such services are built on."""

from simulator.core.backoff import Policy
from simulator.core.heartbeat import HeartbeatConfig
from simulator.core.presets.preset import MILLISECONDS, habits, preset, texts
from simulator.core.visibility import PageRules

SERVICES = (
    preset(
        "centrifuge",
        library="centrifuge",
        version="5.8.0",
        licence="MIT",
        source="build/index.mjs 617-629, 4432-4435, 5157-5161, 5827-5842, 6498-6510",
        rule="0.5 s plus anything up to 0.5 s, doubling, the bound and the sum both up to 20 s. "
        "Starts over once the server has answered `connect`. Gives an attempt up after 5 s; dead "
        "10 s after a ping of the server is missing. Does not come back after 1009, 3500-3999 and "
        "4500-4999 (if the frame gives a reason, which it must here as well); does at once on "
        "`online`.",
        storm="Safe: full jitter above a floor, and the counter trusts no socket that only opened.",
        policy=Policy(
            waits=(0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0),
            jitter="full",
            offset=0.5,
            cap=20.0,
            cap_after_jitter=True,
            resolution=MILLISECONDS,
            reset_on="answer",
            reset_after=None,
        ),
        client=habits(
            connect_timeout=5.0,
            heartbeat=texts(25.0, 10.0),
            end=(1009, "3500-3999", "4500-4999"),
            wakes_online=True,
        ),
    ),
    preset(
        "pusher",
        library="pusher-js",
        version="8.6.0",
        licence="MIT",
        source="src/core/connection/connection_manager.ts 208-217, 283-288, 320-336; "
        "src/core/strategies/sequential_strategy.ts 36-129; src/runtimes/web/default_strategy.ts "
        "63-67, 171-182",
        rule="1 s after the loss; then from start to start 15, 30 s and 60 s for ever: a refused "
        "try waits for its slot to end, and one that hangs is given up then. Starts over on "
        "connect. Pings after 120 s of silence, dead 30 s later. Does not come back after "
        "4001-4099 and from 4300 on; at once after 4000 and 4200-4299, and on `online`. (The "
        "fallbacks over HTTP that start beside it, and a browser's second try at once after the "
        "first is refused, are left out.)",
        storm="Lockstep, but rare: it is the quarter-minute slots that save the server, not "
        "jitter.",
        policy=Policy(
            waits=(1.0, 15.0, 30.0, 60.0), count_from="slot", reset_on="answer", reset_after=None
        ),
        client=habits(
            connect_timeout=None,
            heartbeat=texts(120.0, 30.0),
            end=("4001-4099", "4300-4999"),
            at_once=(4000, "4200-4299"),
            wakes_online=True,
        ),
    ),
    preset(
        "ably",
        library="ably",
        version="2.28.0",
        licence="Apache-2.0",
        source="src/common/lib/util/utils.ts 422-442; util/defaults.ts 76-88; "
        "transport/connectionmanager.ts 999-1033, 1146-1220",
        rule="At once (but 1 s apart), then 20, 25 s, and 30 s for ever, up to 20 % less. 120 s "
        "after the loss whatever goes on is given up, and every delay is 30 s. Starts over on "
        "`connected`. Gives an attempt up after 20 s; dead 10.1 s after a ping of the server is "
        "missing. At once on `online`. (Fallback hosts, three in each attempt, are left out.)",
        storm="Everybody at once at first; spread for two minutes; then the suspension lines all "
        "up again, at 150, 180, 210 s.",
        policy=Policy(
            waits=(1.0, 20.0, 25.0, 30.0),
            jitter="subtractive",
            spread=0.2,
            jitter_from=2,
            first_from_start=True,
            suspended_after=120.0,
            suspended_delay=30.0,
            resolution=MILLISECONDS,
            reset_on="answer",
            reset_after=None,
        ),
        client=habits(connect_timeout=20.0, heartbeat=texts(15.0, 10.1), wakes_online=True),
    ),
    preset(
        "firebase",
        library="@firebase/database",
        version="1.1.5",
        licence="Apache-2.0",
        source="dist/index.node.cjs.js 3217-3221, 3706-3765",
        rule="Anything up to 1 s, 1.3 times as much each time, up to 5 min, less the time since "
        "the last attempt began: so the first retry after a connection that lasted is made at "
        "once. Starts over after 30 s connected. Gives an attempt up after 30 s; no rule for a "
        "dead peer. At once on `online` and when the page comes into view. (That a hidden page "
        "draws from 5 min is left out.)",
        storm="Everybody at once at first; then full jitter, slow to grow: ten tries in the "
        "first twenty seconds.",
        policy=Policy(
            base=1.0,
            factor=1.3,
            cap=300.0,
            jitter="full",
            count_from="remainder",
            first_from_start=True,
            resolution=MILLISECONDS,
            reset_on="answer",
            reset_after=30.0,
        ),
        client=habits(
            connect_timeout=30.0,
            heartbeat=None,
            wakes_online=True,
            page=PageRules(shown="at-once"),
        ),
    ),
    preset(
        "slack-socket-mode",
        library="@slack/socket-mode",
        version="3.1.0",
        licence="MIT",
        source="dist/src/SocketModeClient.js 119, 245-262, 269-300",
        rule="5 s, and 5 s more each time, without an end. Starts over once a new URL is "
        "obtained, before the socket opens. Pings every 1.67 s, dead without an answer for 5 s.",
        storm="Lockstep, in ever longer steps.",
        policy=Policy(growth="linear", base=5.0, reset_after=None),
        client=habits(connect_timeout=None, heartbeat=HeartbeatConfig(interval=1.67, timeout=3.33)),
    ),
    preset(
        "discordjs",
        library="@discordjs/ws",
        version="2.0.4",
        licence="Apache-2.0",
        source="dist/index.js 720-757, 760-821, 1155-1245",
        rule="0.5 s, always. Gives a handshake up after 30 s; a heartbeat each 41.25 s, dead if "
        "it is not answered by the next. Does not come back after 4004 and 4010-4014.",
        storm="Lockstep twice a second for as long as the outage lasts.",
        policy=Policy(growth="constant", base=0.5, reset_after=None),
        client=habits(connect_timeout=30.0, heartbeat=texts(41.25, 41.25), end=(4004, "4010-4014")),
    ),
)
