"""The rules of the libraries once more, in plain Python: none of herd's own arithmetic.

Each rule is a generator of delays in seconds, from the failure of one attempt (or from the loss of
a connection that had lasted) to the start of the next, when every attempt is refused after 1 ms.
It ends where the library gives up.
"""

import itertools
import math

REFUSED_AFTER = 0.001


def listed(*waits, last=None):
    """These waits, the last of them for ever if so said."""

    def rule(rng):
        yield from waits
        while last is not None:
            yield last

    return rule


def milliseconds(value):
    """As a timer of JavaScript takes it."""
    return math.floor(value) / 1000


def socket_io(rng):
    """Sign and size of the jitter from one number, no bound on the exponent, the cap last."""
    for n in itertools.count():
        try:
            full = 1000 * 2.0**n
        except OverflowError:
            full = math.inf
        r = rng.random()
        swing = r * 0.5 * full
        swing = swing if math.isinf(swing) else math.floor(swing)
        full = full - swing if math.floor(r * 10) % 2 == 0 else full + swing
        yield 0.0 if math.isnan(full) else milliseconds(min(full, 5000))


def reconnecting_websocket(rng):
    """A base for the page, and powers of 1.3."""
    base = 1000 + rng.random() * 4000
    for n in itertools.count():
        yield milliseconds(min(base * 1.3**n, 10_000))


def partysocket(rng):
    """The same without chance."""
    for n in itertools.count():
        yield milliseconds(min(3000 * 1.3**n, 10_000))


def phoenix_liveview(rng):
    """Ten reloads after 5 to 10 s, then the failsafe."""
    for _ in range(10):
        yield 5 + math.floor(rng.random() * 5001) / 1000
    while True:
        yield 30.0


def centrifuge(rng):
    """Full jitter above a floor, both bounded."""
    for n in itertools.count():
        bound = min(20_000, 500 * 2 ** min(n, 31))
        yield min(20_000, 500 + rng.randint(0, bound)) / 1000


def graphql_ws(retries):
    """Doubling, plus 0.3 to 3 s."""

    def rule(rng):
        for n in range(retries):
            yield (2**n * 1000 + math.floor(300 + 2700 * rng.random())) / 1000

    return rule


def pusher(rng):
    """A second, then slots from start to start."""
    yield 1.0
    slot = 15
    while True:
        yield slot - REFUSED_AFTER
        slot = min(2 * slot, 60)


def ably(rng):
    """At once, then growing with a fifth of jitter, until 120 s after the loss."""
    yield 0.0
    now = REFUSED_AFTER
    for retry in itertools.count(2):
        wait = 15_000 * min((retry + 2) / 3, 2) * (1 - 0.2 * rng.random())
        if now + wait / 1000 > 120:
            break
        yield milliseconds(wait)
        now += milliseconds(wait) + REFUSED_AFTER
    yield 150 - now
    while True:
        yield 30.0


def actioncable(rng):
    """The poll itself, from a connection that lasts for a minute and more."""
    failures = 0

    def interval():
        share = 1.0 if failures == 0 else 0.15
        return 6 * 1.15 ** min(failures, 10) * (1 + share * rng.random())

    dropped_at = 60 + 12 * rng.random()
    pinged_at = dropped_at - 3 * rng.random()
    poll_at = interval()
    while poll_at < dropped_at:
        poll_at += interval()
    failed_at = dropped_at
    while True:
        if poll_at - pinged_at > 6:
            failures += 1
            if poll_at - dropped_at >= 6:
                yield poll_at - failed_at
                failed_at = poll_at + REFUSED_AFTER
        poll_at += interval()


def nats(rng):
    """Sleeps until 2 s after the last dial, plus a jitter that is drawn anew at each look."""
    yield 0.0
    for _ in range(9):
        waited = REFUSED_AFTER
        while True:
            due = 2 + milliseconds(101 * rng.random())
            if due <= waited:
                break
            waited = due
        yield waited - REFUSED_AFTER


def firebase(rng):
    """A share of what is left of the bound since the last attempt began."""
    bound = 1000.0
    since = math.inf
    while True:
        yield milliseconds(rng.random() * max(0.0, bound - since))
        bound = min(300_000, 1.3 * bound)
        since = 1.0


def slack_socket_mode(rng):
    """5 s for every failure."""
    for failures in itertools.count(1):
        yield 5.0 * failures


def meteor(rng):
    """Two quick ones, then powers of 2.2."""
    for n in itertools.count():
        if n < 2:
            yield 0.01
        else:
            yield milliseconds(min(300_000, 1000 * 2.2**n) * (0.75 + rng.random() / 2))


def python_websockets(rng):
    """At once, up to 5 s, then powers of 1.618."""
    yield 0.0
    yield rng.random() * 5
    wait = 3.1
    while wait < 90:
        yield wait
        wait *= 1.618
    while True:
        yield 90.0


def python_websockets_legacy(rng):
    """The same in whole seconds, one power further."""
    yield 0.0
    yield rng.random() * 5
    wait = 3.1
    while True:
        wait = min(wait * 1.618, 90.0)
        yield float(int(wait))


def grpc(rng):
    """From start to start."""
    yield 0.0
    for n in itertools.count():
        yield min(120, 1.6**n) * (0.8 + 0.4 * rng.random()) - REFUSED_AFTER


def grpc_go(rng):
    """From failure to start, the first without jitter."""
    yield 0.0
    yield 1.0
    for n in itertools.count(1):
        yield min(120, 1.6**n) * (0.8 + 0.4 * rng.random())


def aws(pick):
    """A pick from a bound that doubles."""

    def rule(rng):
        for n in itertools.count(1):
            yield pick(rng, min(2000, 5 * 2**n)) / 1000

    return rule


def aws_decorrelated(rng):
    """A pick between the base and three times the last."""
    sleep = 5.0
    while True:
        sleep = min(2000, rng.uniform(5, 3 * sleep))
        yield sleep / 1000


def seed(rng):
    """Doubling, 30 % more or less."""
    for n in itertools.count():
        wait = min(1000 * 2**n, 30_000)
        yield max(0, wait + wait * 0.3 * (rng.random() * 2 - 1)) / 1000


def tenacity(rng):
    """Anything up to a bound that doubles."""
    for n in itertools.count():
        yield rng.uniform(0, 2**n)


def stamina(rng):
    """Doubling, plus up to a second, cut off."""
    for n in range(9):
        yield min(5.0, 0.1 * 2**n + rng.random())


def resilience4j(rng):
    """Powers of 1.5, half as much more or less."""
    for n in itertools.count():
        yield 0.5 * 1.5**n * rng.uniform(0.5, 1.5)


def finagle(rng):
    """The start, then halves that double, then the maximum."""
    yield 5.0
    half = 5.0
    while half < 300:
        yield half + rng.uniform(0, half)
        half *= 2
    while True:
        yield 300.0


RULES = {
    "socket.io": socket_io,
    "reconnecting-websocket": reconnecting_websocket,
    "partysocket": partysocket,
    "phoenix": listed(0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 2, last=5),
    "phoenix-channel-rejoin": listed(1, 2, 5, last=10),
    "phoenix-liveview": phoenix_liveview,
    "supabase": listed(1, 2, 5, last=10),
    "signalr": listed(0, 2, 10, 30),
    "centrifuge": centrifuge,
    "graphql-ws": graphql_ws(1),
    "graphql-ws-retrying": graphql_ws(5),
    "pusher": pusher,
    "ably": ably,
    "actioncable": actioncable,
    "sockette": listed(last=1),
    "robust-websocket": listed(0, 3, 10),
    "stompjs": listed(last=5),
    "mqtt": listed(last=1),
    "nats": nats,
    "firebase": firebase,
    "slack-socket-mode": slack_socket_mode,
    "discordjs": listed(last=0.5),
    "meteor": meteor,
    "python-websockets": python_websockets,
    "python-websockets-legacy": python_websockets_legacy,
    "grpc": grpc,
    "grpc-go": grpc_go,
    "aws-full": aws(lambda rng, bound: rng.uniform(0, bound)),
    "aws-equal": aws(lambda rng, bound: bound / 2 + rng.uniform(0, bound / 2)),
    "aws-decorrelated": aws_decorrelated,
    "seed": seed,
    "tenacity": tenacity,
    "stamina": stamina,
    "resilience4j": resilience4j,
    "finagle": finagle,
}
