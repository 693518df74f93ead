"""Clients and retry libraries from outside the browser."""

from simulator.core.backoff import Policy
from simulator.core.heartbeat import HeartbeatConfig
from simulator.core.presets.preset import habits, preset
from simulator.core.visibility import PageRules

_PINGS = HeartbeatConfig(interval=20.0, timeout=20.0)
_WEBSOCKETS_LEGACY = habits(connect_timeout=10.0, heartbeat=_PINGS, page=PageRules())
_WEBSOCKETS = habits(
    connect_timeout=10.0,
    heartbeat=_PINGS,
    end_status=("200-499", 501, "505-599"),
    page=PageRules(),
)
_GRPC = habits(connect_timeout=20.0, heartbeat=None, page=PageRules())

BACKENDS = (
    preset(
        "python-websockets",
        library="websockets, `async for connection in connect(...)`",
        version="17.4",
        licence="BSD-3-Clause",
        source="websockets/client.py 360-436; websockets/asyncio/client.py 592-629",
        rule="At once; then anything up to 5 s; then 3.1 s, 1.618 times as long each time, up to "
        "90 s. Starts over whenever it connects. Gives an attempt up after 10 s; pings every 20 "
        "s, dead 20 s later. An answer of any other HTTP status than 500, 502, 503 and 504, 429 "
        "included, ends it all (so does one that is no HTTP, which is left out).",
        storm="Everybody at once at first; then spread once, over 5 s; and whom a limit answers "
        "429 is gone for good.",
        policy=Policy(
            immediate_first=True,
            waits=(5.0,),
            then="grow",
            base=3.1,
            factor=1.618,
            cap=90.0,
            jitter="full",
            jitter_until=1,
            reset_after=None,
        ),
        client=_WEBSOCKETS,
    ),
    preset(
        "python-websockets-legacy",
        library="websockets, the API that was the default before 14.0",
        version="17.4",
        licence="BSD-3-Clause",
        source="websockets/legacy/client.py 601-636",
        rule="At once; then anything up to 5 s; then whole seconds: 5, 8, 13, 21, 34, 55, 89, "
        "and 90 for ever. The rest as python-websockets, but no answer ends it.",
        storm="Everybody at once at first; then spread once, over 5 s, and never again.",
        policy=Policy(
            immediate_first=True,
            waits=(5.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0, 89.0, 90.0),
            jitter="full",
            jitter_until=1,
            reset_after=None,
        ),
        client=_WEBSOCKETS_LEGACY,
    ),
    preset(
        "grpc",
        library="gRPC C-core (grpcio)",
        version="1.85.3",
        licence="Apache-2.0",
        source="measured; src/core/lib/backoff/backoff.cc @063d5de0 (grpc/grpc) is older",
        rule="At once; then from start to start 1 s, 1.6 times as long each time, up to 120 s, "
        "20 % more or less. Starts over on READY. Gives an attempt up after 20 s.",
        storm="Everybody at once at first; then 20 % of jitter, which takes five attempts to blur.",
        policy=Policy(
            immediate_first=True,
            base=1.0,
            factor=1.6,
            cap=120.0,
            jitter="proportional",
            spread=0.2,
            count_from="start",
            reset_after=None,
        ),
        client=_GRPC,
    ),
    preset(
        "grpc-go",
        library="gRPC-Go",
        version="32275fcc, 001f93a8",
        licence="Apache-2.0",
        source="internal/backoff/backoff.go; backoff/backoff.go; clientconn.go resetTransport",
        rule="At once; then exactly 1 s after the failure; then 1.6 times as long each time, up "
        "to 120 s, 20 % more or less. Starts over on connect. Gives an attempt up after 20 s, or "
        "after the delay that would follow it, if that is longer.",
        storm="Everybody at once, and all together once more after 1 s; then as grpc.",
        policy=Policy(
            immediate_first=True,
            base=1.0,
            factor=1.6,
            cap=120.0,
            jitter="proportional",
            spread=0.2,
            jitter_from=2,
            outlasts_timeout=True,
            reset_after=None,
        ),
        client=_GRPC,
    ),
)
