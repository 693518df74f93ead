"""The mechanisms that real libraries need: each does what it says, for one client and for many."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from server_stub.draws import Purpose, uniforms
from simulator.core.backoff import (
    LONGEST_DELAY,
    Policy,
    delay,
    delays,
    describe,
    first_delay,
    most_retries,
)
from simulator.core.backoff.points import quantile, quantiles
from simulator.core.backoff.timing import next_wait, next_waits
from simulator.core.policies import resolve_policy
from simulator.core.presets import PRESETS
from simulator.scenario import AnyPolicy

ANY_POLICY: TypeAdapter[Policy] = TypeAdapter(AnyPolicy)
DRAWS = st.integers(0, 2**52 - 1).map(lambda n: (n + 0.5) * 2.0**-52)
STEPS = st.integers(1, 40) | st.integers(1, 2**62)
SECONDS = st.just(0.0) | st.floats(0.001, 1000)
KINDS = ["none", "full", "equal", "proportional", "additive", "subtractive"]


@st.composite
def points(draw, highest=1000.0):
    """Any distribution by points, with atoms and gaps."""
    inner = draw(st.lists(st.floats(0, 1), max_size=6))
    probabilities = [0.0, *sorted(inner), 1.0]
    values = sorted(draw(st.floats(0, highest)) for _ in probabilities)
    return tuple(zip(probabilities, values, strict=True))


@st.composite
def policies(draw):
    """Any policy that the form allows, decorrelated jitter aside."""
    jitter = draw(st.sampled_from(KINDS))
    form = {
        "jitter": jitter,
        "count_from": draw(st.sampled_from(["failure", "remainder", "poll"])),
    }
    form["waits"] = draw(st.lists(SECONDS | points(), max_size=4))
    if form["waits"]:
        form["then"] = draw(st.sampled_from(["repeat", "grow"]))
    else:
        form["base_spread"] = draw(SECONDS)
    if form.get("then") != "repeat":
        form["growth"] = draw(st.sampled_from(["constant", "linear", "exponential"]))
        form["base"] = draw(SECONDS)
        if form["growth"] != "constant":
            form["cap"] = form["base"] + draw(SECONDS)
    if jitter != "none":
        if jitter in ("proportional", "additive", "subtractive"):
            form["spread"] = draw(st.floats(0, 1))
        form["shape"] = draw(st.just(()) | points(1.0))
        form["jitter_from"] = draw(st.integers(1, 3))
        form["jitter_until"] = draw(st.none() | st.integers(3, 9))
        form["offset"] = draw(SECONDS)
        form["cap_after_jitter"] = "cap" in form and draw(st.booleans())
        if jitter == "proportional" and form["cap_after_jitter"]:
            form["overflow_step"] = draw(st.none() | st.integers(1, 9))
    form["resolution"] = draw(st.none() | st.sampled_from([0.001, 0.3, 1.0]))
    form["immediate_first"] = draw(st.booleans())
    if draw(st.booleans()):
        form["suspended_after"] = draw(st.floats(0.001, 2000))
        form["suspended_delay"] = draw(SECONDS)
    return Policy(**form)


few = settings(max_examples=40)
CASES = st.lists(st.tuples(STEPS, DRAWS, DRAWS, SECONDS, SECONDS), min_size=1)


@few
@given(policies(), CASES)
def test_arrays_wait_as_long_as_scalars(policy, cases):
    """The vector form equals the scalar form bit for bit, whatever a client has behind it."""
    steps, u, own, downtime, elapsed = (np.array(column) for column in zip(*cases, strict=True))
    together = delays(policy, steps, u, own=own, downtime=downtime, elapsed=elapsed)
    alone = [
        delay(policy, step, u, own=own, downtime=downtime, elapsed=elapsed)
        for step, u, own, downtime, elapsed in cases
    ]
    assert together.tolist() == alone
    assert all(0 <= wait <= LONGEST_DELAY for wait in alone)


@few
@given(st.sampled_from(sorted(PRESETS)), CASES)
def test_presets_wait_as_long_for_many_clients_as_for_one(name, cases):
    """Polls that pass during an attempt are counted alike, too."""
    policy = PRESETS[name].policy
    steps, u, own, downtime, elapsed = (np.array(column) for column in zip(*cases, strict=True))
    kept, together = next_waits(policy, steps, u, own=own, downtime=downtime, elapsed=elapsed)
    alone = [
        next_wait(policy, step, u, own=own, downtime=downtime, elapsed=elapsed)
        for step, u, own, downtime, elapsed in cases
    ]
    assert list(zip(kept.tolist(), together.tolist(), strict=True)) == alone


@few
@given(policies(), STEPS, DRAWS, DRAWS, DRAWS)
def test_a_delay_rises_or_falls_with_its_draw_all_the_way(policy, step, low, middle, high):
    """Which is what bounds of delays are found by."""
    waits = [delay(policy, step, u) for u in sorted((low, middle, high))]
    assert waits == sorted(waits) or waits == sorted(waits, reverse=True)


@few
@given(policies())
def test_a_policy_survives_being_written_out(policy):
    """Points and waits read back as they were."""
    assert ANY_POLICY.validate_python(policy.model_dump(mode="json")) == policy


@few
@given(points(), st.lists(st.just(0.0) | st.just(1.0) | st.floats(0, 1), min_size=1))
def test_points_are_an_inverse_distribution(points, draws):
    """It never falls, it stays within its ends, and arrays agree with scalars."""
    values = [quantile(points, u) for u in sorted(draws)]
    assert values == pytest.approx(sorted(values), rel=1e-12, abs=1e-12)
    assert points[0][1] <= min(values)
    assert max(values) <= points[-1][1] * (1 + 1e-12)
    assert quantiles(points, np.sort(draws)).tolist() == values


def test_points_with_one_probability_are_a_gap_and_with_one_value_an_atom():
    """A histogram of two bands, and a share of a half that is exactly 3."""
    bands = ((0.0, 1.0), (0.5, 2.0), (0.5, 5.0), (1.0, 6.0))
    assert [quantile(bands, u) for u in (0.0, 0.25, 0.499, 0.5, 0.75, 1.0)] == pytest.approx(
        [1.0, 1.5, 1.998, 5.0, 5.5, 6.0]
    )
    atom = ((0.0, 3.0), (0.5, 3.0), (1.0, 4.0))
    assert [quantile(atom, u) for u in (0.1, 0.4, 0.75)] == [3.0, 3.0, 3.5]


# One by one


def test_waits_come_before_a_growth_or_stand_alone():
    """The last of them repeats, unless a growth is to follow."""
    alone = Policy(waits=(0.0, 2.0, 10.0))
    followed = Policy(waits=(0.0, 2.0), then="grow", base=5.0, cap=20.0)
    assert [delay(alone, step, 0.5) for step in range(1, 6)] == [0, 2, 10, 10, 10]
    assert [delay(followed, step, 0.5) for step in range(1, 7)] == [0, 2, 5, 10, 20, 20]


def test_waits_by_points_are_drawn_from_and_others_are_jittered():
    """A recorded distribution is what it is."""
    policy = Policy(waits=(((0.0, 1.0), (1.0, 3.0)), 8.0), jitter="equal")
    u = uniforms(1, Purpose.BACKOFF, np.arange(5000))
    first = delays(policy, np.full(5000, 1), u)
    second = delays(policy, np.full(5000, 2), u)
    assert stats.kstest(first, "uniform", args=(1, 2)).pvalue > 1e-4
    assert stats.kstest(second, "uniform", args=(4, 4)).pvalue > 1e-4


def test_a_client_keeps_its_own_base():
    """All its delays are the same multiple of the shortest."""
    policy = Policy(base=1.0, base_spread=4.0, factor=2.0, cap=6.0)
    assert [delay(policy, step, 0.9, own=0.0) for step in (1, 2, 3, 4)] == [1, 2, 4, 6]
    assert [delay(policy, step, 0.1, own=0.25) for step in (1, 2, 3, 4)] == [2, 4, 6, 6]


def test_jitter_can_begin_and_end():
    """With an immediate first retry that is free, steps count without it."""
    policy = Policy(jitter="full", jitter_from=2, jitter_until=3, immediate_first=True)
    assert [delay(policy, step, 0.5) for step in range(1, 6)] == [0, 1, 1, 2, 8]


def test_an_offset_is_added_to_all_but_an_immediate_retry():
    """After jitter and before the cap that comes after jitter."""
    policy = Policy(jitter="full", offset=0.5, cap=2.0, cap_after_jitter=True, immediate_first=True)
    assert [delay(policy, step, 0.5) for step in (1, 2, 3, 4)] == [0, 1, 1.5, 2]


def test_delays_are_cut_to_whole_multiples():
    """Down, but not by what a binary fraction lacks."""
    policy = Policy(growth="constant", base=0.29, jitter="full", resolution=0.001)
    assert delay(policy, 1, 1.0) == 0.29
    assert delay(policy, 1, 0.9999) == 0.289


def test_an_overflow_makes_half_of_the_delays_vanish():
    """Those that jitter would shorten; the others are the cap."""
    policy = Policy(
        jitter="proportional", spread=0.5, cap=5.0, cap_after_jitter=True, overflow_step=8
    )
    assert [delay(policy, step, 0.4) for step in (7, 8, 9)] == [5, 0, 0]
    assert [delay(policy, step, 0.6) for step in (7, 8, 9)] == [5, 5, 5]


def test_our_own_policies_do_not_overflow():
    """Not even with the same jitter and cap."""
    policy = Policy(jitter="proportional", spread=0.5, cap=5.0, cap_after_jitter=True)
    assert {delay(policy, step, 0.1) for step in (10, 1016, 10**6, 10**18)} == {5.0}


def test_a_remainder_is_less_by_what_the_attempt_took():
    """Before jitter, and never below 0."""
    policy = Policy(growth="constant", base=10.0, jitter="full", count_from="remainder")
    waits = [delay(policy, 1, 0.5, elapsed=elapsed) for elapsed in (0.0, 4.0, 12.0)]
    assert waits == [5.0, 3.0, 0.0]


def test_a_suspension_cuts_in_and_then_rules():
    """A wait that would outlast it ends a suspended delay after it; later ones are that delay."""
    policy = Policy(growth="constant", base=40.0, suspended_after=100.0, suspended_delay=30.0)
    assert [delay(policy, 1, 0.5, downtime=at) for at in (0.0, 60.0, 61.0, 100.0, 500.0)] == [
        *(40.0, 40.0, 69.0, 30.0, 30.0)
    ]


def test_rounds_of_a_poll_that_pass_meanwhile_are_steps():
    """The next retry is at the first round after the attempt has failed."""
    policy = Policy(base=1.0, cap=8.0, count_from="poll")
    assert next_wait(policy, 1, 0.5, elapsed=0.5) == (1, 1.0)
    assert next_wait(policy, 1, 0.5, elapsed=2.5) == (2, 3.0)
    assert next_wait(policy, 3, 0.5, elapsed=29.0) == (7, 36.0)
    assert next_wait(
        Policy(growth="constant", base=0.0, count_from="poll"), 1, 0.5, elapsed=9.0
    ) == (
        1,
        0.0,
    )


def test_the_yardstick_of_waits_is_the_first_that_is_not_at_once():
    """And 0 where all of them are."""
    assert first_delay(Policy(waits=(0.0, 2.0, 10.0))) == 2.0
    assert first_delay(Policy(waits=(((0.0, 6.0), (1.0, 18.0)),))) == 6.0
    assert first_delay(Policy(waits=(0.0,))) == 0.0


def test_a_policy_that_ends_on_failure_makes_one_retry_at_most():
    """If the retry fails, that is."""
    assert most_retries(Policy()) is None
    assert most_retries(Policy(max_attempts=5)) == 5
    assert most_retries(Policy(max_attempts=5, ends_on_failure=True)) == 1
    assert most_retries(Policy(max_attempts=0, ends_on_failure=True)) == 0


# Settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"waits": [1.0], "base": 2.0}, "base needs a growth"),
        ({"waits": [1.0], "growth": "linear"}, "growth needs a growth"),
        ({"waits": [1.0], "cap": 5.0}, "cap needs a growth to end"),
        ({"waits": [1.0], "jitter": "decorrelated"}, "waits needs a jitter other than"),
        ({"then": "grow"}, "then needs waits"),
        ({"base_spread": 1.0, "waits": [1.0], "then": "grow"}, "base_spread needs"),
        ({"shape": [[0, 0], [1, 1]]}, "shape needs jitter"),
        ({"jitter_from": 2}, "jitter_from needs jitter"),
        ({"jitter": "first-attempt", "jitter_until": 2}, "jitter_until needs jitter"),
        ({"jitter": "full", "jitter_from": 3, "jitter_until": 2}, "is below jitter_from = 3"),
        ({"offset": 1.0}, "offset needs jitter"),
        ({"jitter": "full", "overflow_step": 9}, "overflow_step needs"),
        ({"immediate_first": True, "first_from_start": True}, "first_from_start needs"),
        ({"count_from": "poll", "first_from_start": True}, "first_from_start needs"),
        ({"suspended_after": 9.0}, "suspended_after needs suspended_delay"),
        ({"suspended_delay": 9.0}, "suspended_delay needs suspended_after"),
        ({"jitter": "decorrelated", "count_from": "remainder"}, "count_from = 'remainder'"),
        ({"waits": [[[0, 1], [0.5, 2]]]}, "probability 0 to probability 1"),
        ({"waits": [[[0, 3], [1, 2]]]}, "never fall"),
        ({"waits": [[[0, 1], [0.6, 2], [0.5, 2], [1, 3]]]}, "never fall"),
        ({"jitter": "full", "shape": [[0, 0], [1, 1.5]]}, "less than or equal to 1"),
        ({"waits": [-1.0]}, "greater than or equal to 0"),
        ({"waits": ["soon"]}, "valid number"),
        ({"reset_on": "sunday"}, "'open' or 'answer'"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_errors(settings, message):
    """What would be ignored, or cannot be, is refused by name."""
    with pytest.raises(ValidationError, match=message):
        Policy(**settings)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_goes_by_its_name(name):
    """Alone, and as the table that a scenario file holds."""
    policy = PRESETS[name].policy
    assert resolve_policy(name) is policy
    assert policy.label == name
    assert ANY_POLICY.validate_python(policy.model_dump(mode="json")) == policy
    assert (
        ANY_POLICY.validate_python(policy.model_dump(mode="json", exclude_defaults=True)) == policy
    )
    assert Policy(**policy.model_dump()) == policy


def test_a_setting_of_a_preset_can_be_changed():
    """It keeps the library's other habits, though not its name."""
    slower = ANY_POLICY.validate_python({"name": "socket.io", "base": 2.0})
    assert (slower.name, slower.library, slower.base) == ("", "socket.io", 2.0)
    listed = ANY_POLICY.validate_python({"name": "partysocket", "waits": [1.0, 2.0]})
    assert (listed.waits, listed.factor, listed.cap) == ((1.0, 2.0), None, None)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (PRESETS["signalr"].policy, "waits of 0, 2, 10, 30 s, gives up after 4 retries"),
        (
            PRESETS["reconnecting-websocket"].policy,
            "exponential 1 to 5 s (drawn once per client) x1.3",
        ),
        (PRESETS["ably"].policy, "every 30 s once down for 120 s"),
        (PRESETS["graphql-ws"].policy, "additive jitter of 2.7 s after 0.3 s"),
        (PRESETS["firebase"].policy, "starts over after 30 s of answers"),
        (PRESETS["meteor"].policy, "waits of 0.01, 0.01 s, then exponential 4.84 s x2.2"),
    ],
    ids=lambda value: value.name if isinstance(value, Policy) else "",
)
def test_a_description_names_every_mechanism(policy, words):
    """In plain words, without the name."""
    assert words in describe(policy)


def test_no_two_policies_are_described_alike():
    """Unless they are alike."""
    for one, other in itertools.combinations(PRESETS.values(), 2):
        same = one.policy.model_copy(update={"name": "", "library": ""}) == other.policy.model_copy(
            update={"name": "", "library": ""}
        )
        if not same:
            assert describe(one.policy) != describe(other.policy), (one.name, other.name)
