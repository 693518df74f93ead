"""What resets a library's counter, and what it does when attempts hang."""

import math

import pytest

from simulator.core.presets import PRESETS

N = 6
COUNTING = [
    "reconnecting-websocket",
    "partysocket",
    "firebase",
]
"""Libraries that want a connection to last before they start over."""
CONSTANT = {"sockette", "stompjs", "mqtt", "nats", "discordjs"}
"""Libraries whose delay never changes, so that nothing shows of their counter."""


@pytest.mark.parametrize("name", sorted(PRESETS.keys() - COUNTING - CONSTANT))
def test_a_connection_on_which_the_server_has_answered_starts_most_over(flaps, name):
    """Each loss is followed by the first delay again."""
    waits = flaps(name, N, answered=True)
    first = [flaps(name, 1, answered=True, number=number)[0] for number in range(200)]
    slack = 0.05 * (max(first) - min(first)) + 1e-9
    assert len(waits) == N
    assert min(first) - slack <= min(waits)
    assert max(waits) <= max(first) + slack


@pytest.mark.parametrize("name", COUNTING)
def test_one_that_lasts_for_a_second_does_not_start_these_over(flaps, name):
    """Their delays go on growing, so that a server which drops everybody is left in peace."""
    means = [
        sum(waits) / 200
        for waits in zip(
            *(flaps(name, N, answered=True, number=number) for number in range(200)), strict=True
        )
    ]
    assert all(later > earlier for earlier, later in zip(means, means[2:], strict=False))


OPEN_ALONE = {
    "signalr": [0, 2, 10, 30],
    "phoenix": [0.01] * 6,
    "supabase": [1] * 6,
    "sockette": [1] * 6,
    "robust-websocket": [0] * 6,
    "python-websockets": [0] * 6,
    "slack-socket-mode": [5] * 6,
    "phoenix-channel-rejoin": [1, 2, 5, 10, 10, 10],
}


@pytest.mark.parametrize("name", OPEN_ALONE)
def test_what_a_socket_is_worth_that_only_opens(flaps, name):
    """A proxy that accepts and drops looks like success to some, and to others it does not."""
    assert flaps(name, len(OPEN_ALONE[name]), answered=False) == pytest.approx(OPEN_ALONE[name])


def test_signalr_gives_up_if_only_sockets_open(flaps):
    """Four of them are four retries."""
    assert flaps("signalr", 6, answered=False)[4:] == [None]


@pytest.mark.parametrize("name", ["centrifuge", "graphql-ws-retrying", "actioncable", "ably"])
def test_these_go_on_growing_until_the_application_answers(flaps, name):
    """They trust no open socket."""
    waits = [flaps(name, 5, answered=False, number=number) for number in range(100)]
    first, *_, last = (sum(column) / 100 for column in zip(*waits, strict=True))
    assert last > 1.1 * first


# Hangs

COUNT_FROM_FAILURE = sorted(
    name
    for name, preset in PRESETS.items()
    if preset.policy.count_from == "failure"
    and preset.client.get("connect_timeout") is not None
    and not preset.policy.immediate_first
    and preset.policy.max_attempts is None
    and preset.policy.suspended_after is None
)


@pytest.mark.parametrize("name", COUNT_FROM_FAILURE)
def test_most_wait_in_full_after_an_attempt_that_hung(client, name):
    """The delay begins when the library's patience ends."""
    one, other = client(name), client(name)
    for each in (one, other):
        each.lose()
        each.dial()
    patience, wait = one.hang()
    assert patience == PRESETS[name].client["connect_timeout"]
    assert wait == pytest.approx(other.fail())


@pytest.mark.parametrize("name", ["phoenix", "supabase", "signalr", "sockette", "stompjs"])
def test_some_have_no_patience_to_end(client, name):
    """They wait for as long as the system does."""
    hanging = client(name)
    hanging.lose()
    hanging.dial()
    assert PRESETS[name].client["connect_timeout"] is None
    assert hanging.life.given_up_at(hanging.started_at) == math.inf


def test_nats_dials_again_at_once_after_a_dial_that_hung(client):
    """Its two seconds count from the start of a dial, which was given twenty."""
    hanging = client("nats")
    assert hanging.lose() == 0.0
    for _ in range(9):
        hanging.dial()
        assert hanging.hang() == (20.0, 0.0)


def test_pusher_gives_an_attempt_up_when_its_slot_ends(client):
    """So attempts that hang start 15, 30, 60 and 60 s apart, as refused ones do."""
    hanging, refused = client("pusher"), client("pusher")
    starts = {}
    for each, end in ((hanging, hanging.hang), (refused, refused.fail)):
        each.lose()
        starts[each] = []
        for _ in range(6):
            each.dial()
            starts[each].append(each.started_at)
            end()
    assert starts[hanging] == pytest.approx([1, 16, 46, 106, 166, 226])
    assert starts[refused] == pytest.approx(starts[hanging])


def test_grpc_counts_from_the_start_and_grpc_go_from_the_failure(client):
    """After an attempt that hung for 20 s, the one tries again at once, the other waits."""
    waits = {}
    for name in ("grpc", "grpc-go"):
        hanging = client(name)
        hanging.lose()
        hanging.dial()
        waits[name] = hanging.hang()
    assert waits == {"grpc": (20.0, 0.0), "grpc-go": (20.0, 1.0)}


def test_grpc_go_dials_for_as_long_as_it_would_wait(client):
    """20 s at least; later as long as the delay that follows."""
    one = client("grpc-go")
    one.lose()
    hung = []
    for _ in range(12):
        one.dial()
        hung.append(one.hang())
    assert [patience for patience, _ in hung[:6]] == pytest.approx([20.0] * 6)
    assert hung[-1][0] > 60.0
    for patience, wait in hung:
        assert patience == pytest.approx(max(20.0, wait))


def test_firebase_takes_the_time_of_an_attempt_off_its_bound(client):
    """No wait at all after 30 s of hanging, while its bound is below that."""
    hanging = client("firebase")
    assert hanging.lose() == 0.0
    bound = 1.0
    for _ in range(20):
        hanging.dial()
        patience, wait = hanging.hang()
        bound = min(300.0, 1.3 * bound)
        assert patience == pytest.approx(30.0)
        assert wait <= max(0.0, bound - 30.0)
    assert bound > 100
    assert wait > 0


def test_actioncable_looks_again_at_the_next_poll_after_an_attempt_that_hung(client):
    """The poll runs on meanwhile, and every round of it counts as a failure."""
    hanging = client("actioncable")
    hanging.lose()
    hanging.dial()
    assert hanging.life.given_up_at(hanging.started_at) == math.inf
    wait = hanging.fail(after=100.0)
    assert 0 <= wait <= 6 * 1.15**11
    hanging.dial()
    assert 6 * 1.15**6 < hanging.fail() < 6 * 1.15**11


def test_ably_gives_up_an_attempt_that_is_under_way_when_it_is_suspended(client):
    """At 120 s after the loss, whatever it does; the next attempt is at 150 s."""
    hanging = client("ably")
    hanging.lose()
    ends = []
    while hanging.now < 150:
        hanging.dial()
        patience, _ = hanging.hang()
        ends.append((hanging.started_at, patience))
    last_before = max(start for start, _ in ends if start < 120)
    assert dict(ends)[last_before] == pytest.approx(min(20.0, 120 - last_before))
    assert ends[-1][0] == pytest.approx(150)
    assert ends[-1][1] == 20.0
