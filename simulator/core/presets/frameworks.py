"""Clients that belong to a web framework's server."""

from simulator.core.backoff import Policy
from simulator.core.presets.polling import ACTIONCABLE_WAITS
from simulator.core.presets.preset import MILLISECONDS, habits, preset, texts
from simulator.core.visibility import PageRules

_COMB = tuple(
    point
    for band in range(10)
    for point in ((band / 10, (2 * band + 1) / 20), ((band + 1) / 10, (band + 1) / 10))
)
"""socket.io takes sign and size of its jitter from one random number, r: the size is r, the sign
that of its first decimal, minus for an even one. So only half of each tenth is ever hit."""

_PHOENIX_PAGE = PageRules(hidden="no-retry", shown="at-once")

FRAMEWORKS = (
    preset(
        "socket.io",
        library="socket.io-client",
        version="4.8.4",
        licence="MIT",
        source="build/esm/contrib/backo2.js 12-42; build/esm/manager.js 21-31, 302-366",
        rule="1 s, doubling, 50 % more or less, the sum cut off at 5 s. Starts over once the "
        "engine has shaken hands. Sign and size of the jitter come from one random number, so "
        "that delays fall into ten bands; the exponent is never bounded, and after 1,015 failures "
        "one delay in two is 0. Gives an attempt up after 20 s; dead after 45 s without the "
        "server's ping. (A socket that opens and does not shake hands, which it waits 20 s for, "
        "is left out.)",
        storm="Spread for four attempts; from the fifth on everybody retries exactly every 5 s.",
        policy=Policy(
            base=1.0,
            factor=2.0,
            cap=5.0,
            jitter="proportional",
            spread=0.5,
            shape=_COMB,
            cap_after_jitter=True,
            resolution=MILLISECONDS,
            overflow_step=1016,
            reset_on="answer",
            reset_after=None,
        ),
        client=habits(connect_timeout=20.0, heartbeat=texts(25.0, 20.0)),
    ),
    preset(
        "phoenix",
        library="phoenix",
        version="1.8.16",
        licence="MIT",
        source="assets/js/phoenix/socket.js 182-207, 535-543, 654-668; timer.js 26-41",
        rule="10, 50, 100, 150, 200, 250, 500 ms, 1, 2 s, then 5 s for ever. Starts over on "
        "every open socket. No connect timeout. Pings every 30 s, dead if the answer is missing "
        "by the next. A hidden page makes no retries; one that comes into view does at once.",
        storm="Lockstep, nine attempts in 4.3 s: a restart of some seconds meets its worst.",
        policy=Policy(
            waits=(0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0), reset_after=None
        ),
        client=habits(connect_timeout=None, heartbeat=texts(30.0, 30.0), page=_PHOENIX_PAGE),
    ),
    preset(
        "phoenix-channel-rejoin",
        library="phoenix, the timer that rejoins a channel",
        version="1.8.16",
        licence="MIT",
        source="assets/js/phoenix/socket.js 175-181; channel.js 30-68",
        rule="1, 2, 5 s, then 10 s for ever, for a channel that the server refused; all channels "
        "at once whenever the socket opens, which is not shown here.",
        storm="Lockstep; and thirty channels a page make thirty joins at the instant of reopening.",
        policy=Policy(waits=(1.0, 2.0, 5.0, 10.0), reset_on="answer", reset_after=None),
        client=habits(connect_timeout=None, heartbeat=texts(30.0, 30.0), page=_PHOENIX_PAGE),
    ),
    preset(
        "phoenix-liveview",
        library="phoenix_live_view",
        version="1.2.12",
        licence="MIT",
        source="assets/js/phoenix_live_view/constants.ts 1-5; live_socket.ts 733-785, 1120-1131; "
        "view.ts 1356-1359, 1408, 1565",
        rule="Where a view cannot join, or the server closes with 1000, the page is loaded again "
        "after 5 to 10 s; after ten reloads in a row, after 30 s, always.",
        storm="Well spread, but what comes back is a page load, not a handshake; the failsafe "
        "has no jitter.",
        policy=Policy(
            waits=(*(5.0,) * 10, 30.0),
            jitter="additive",
            spread=5.001,
            jitter_until=10,
            resolution=MILLISECONDS,
            reset_on="answer",
            reset_after=None,
        ),
        client=habits(connect_timeout=None, heartbeat=texts(30.0, 30.0)),
    ),
    preset(
        "supabase",
        library="@supabase/realtime-js with @supabase/phoenix",
        version="2.109.0",
        licence="MIT",
        source="src/RealtimeClient.ts 45-52, 810-814; @supabase/phoenix 0.4.5 socket.js 547-556",
        rule="1, 2, 5 s, then 10 s for ever. Starts over on every open socket. No connect "
        "timeout; pings every 25 s. Hidden pages as phoenix.",
        storm="Lockstep: no jitter, and every client the same four instants.",
        policy=Policy(waits=(1.0, 2.0, 5.0, 10.0), reset_after=None),
        client=habits(connect_timeout=None, heartbeat=texts(25.0, 25.0), page=_PHOENIX_PAGE),
    ),
    preset(
        "signalr",
        library="@microsoft/signalr, with automatic reconnect",
        version="10.0.11",
        licence="MIT",
        source="src/DefaultReconnectPolicy.ts 7-18; src/HubConnection.ts 818-956",
        rule="At once, after 2, 10 and 30 s, and never again. Starts over once the hub has "
        "shaken hands. No connect timeout; dead after 30 s without the server's ping of every 15 "
        "s.",
        storm="Lockstep; and an outage of more than 42 s loses everybody until the page is "
        "reloaded.",
        policy=Policy(
            waits=(0.0, 2.0, 10.0, 30.0), max_attempts=4, reset_on="answer", reset_after=None
        ),
        client=habits(connect_timeout=None, heartbeat=texts(15.0, 15.0)),
    ),
    preset(
        "actioncable",
        library="@rails/actioncable",
        version="8.1",
        licence="MIT",
        source="src/connection_monitor.js 66-104, 121-122; src/connection.js 46-69, 125",
        rule="No timer per loss, but a poll that always runs: every 6 to 12 s while all is well, "
        "every 6 s times 1.15 for each failure (ten at most), up to 15 % longer, after that. It "
        "reopens when nothing was heard for 6 s, but not within 6 s of a loss. Starts over on "
        "`welcome`. No connect timeout: a socket that hangs is left to hang. One that comes into "
        "view looks at once (0.2 s later).",
        storm="Safe: the phase of the poll spreads the first attempt over 12 s, and the rest "
        "follow.",
        policy=Policy(
            waits=ACTIONCABLE_WAITS,
            count_from="poll",
            resolution=MILLISECONDS,
            reset_on="answer",
            reset_after=None,
        ),
        client=habits(
            connect_timeout=None, heartbeat=texts(3.0, 3.0), page=PageRules(shown="at-once")
        ),
    ),
    preset(
        "meteor",
        library="Meteor's DDP client (packages retry and socket-stream-client)",
        version="01bd35e0",
        licence="MIT",
        source="packages/retry/retry.js 11-50; packages/socket-stream-client/common.js 118-156",
        rule="10 ms twice; then 4.84 s, 2.2 times as long each time, up to 5 min, 25 % more or "
        "less. Starts over on connect. Gives an attempt up after 10 s; pings after 17.5 s. At "
        "once when the browser says `online`.",
        storm="Two attempts in lockstep at once, then spread; after a long outage slow to return.",
        policy=Policy(
            waits=(0.01, 0.01),
            then="grow",
            base=4.84,
            factor=2.2,
            cap=300.0,
            jitter="proportional",
            spread=0.25,
            jitter_from=3,
            resolution=MILLISECONDS,
            reset_after=None,
        ),
        client=habits(connect_timeout=10.0, heartbeat=texts(17.5, 15.0), wakes_online=True),
    ),
)
