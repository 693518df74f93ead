from typing import get_args

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from server_stub.draws import Purpose, uniforms
from simulator.core.backoff import (
    BASIC,
    LAST_STEP,
    LONGEST_DELAY,
    Growth,
    Jitter,
    Policy,
    delay,
    delays,
    describe,
    first_delay,
    gives_up,
    schedule,
)
from simulator.core.policies import resolve_policy
from simulator.scenario import AnyPolicy

JITTERS = get_args(Jitter)
ANY_POLICY: TypeAdapter[Policy] = TypeAdapter(AnyPolicy)
SPREADS = {
    "proportional": st.floats(0, 1),
    "subtractive": st.floats(0, 1),
    "additive": st.floats(0, 100),
}
DRAWS = st.integers(0, 2**52 - 1).map(lambda n: (n + 0.5) * 2.0**-52)
STEPS = st.integers(1, 40) | st.integers(1, 2**62)


@st.composite
def policies(draw, jitters=JITTERS):
    """Any valid policy with one of these kinds of jitter."""
    jitter = draw(st.sampled_from(jitters))
    growth = "exponential" if jitter == "decorrelated" else draw(st.sampled_from(get_args(Growth)))
    base = draw(st.just(0.0) | st.floats(0.001, 100))
    settings = {"growth": growth, "base": base, "jitter": jitter}
    if growth == "exponential":
        settings["factor"] = draw(st.none() | st.floats(1.1, 1e6))
        settings["cap"] = draw(st.none() | st.floats(base, 1e4))
    if growth == "linear":
        settings["cap"] = draw(st.floats(base, 100 * base))
    if settings.get("cap") is not None and jitter != "none":
        settings["cap_after_jitter"] = draw(st.booleans())
    if jitter in SPREADS:
        settings["spread"] = draw(SPREADS[jitter])
    settings["immediate_first"] = draw(st.booleans())
    if settings["immediate_first"] and growth != "constant" and jitter != "decorrelated":
        settings["immediate_counts"] = draw(st.booleans())
    return Policy(**settings)


# The delays themselves


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("immediate", [0, 0, 0, 0, 0, 0]),
        ("fixed", [1, 1, 1, 1, 1, 1]),
        ("linear", [1, 2, 3, 4, 5, 6]),
        ("exponential", [1, 2, 4, 8, 10, 10]),
        ("exponential-full-jitter", [0.25, 0.5, 1, 2, 2.5, 2.5]),
        ("exponential-equal-jitter", [0.625, 1.25, 2.5, 5, 6.25, 6.25]),
        ("exponential-decorrelated-jitter", [1.5, 1.875, 2.15625, 2.3671875]),
        ("exponential-proportional-jitter", [0.85, 1.7, 3.4, 6.8, 8.5, 8.5]),
    ],
)
def test_basic_policies_wait_as_their_names_say(name, expected):
    """With every draw a quarter, the delays are those worked out by hand."""
    waits = [0.0]
    for step in range(1, len(expected) + 1):
        waits.append(delay(BASIC[name], step, 0.25, waits[-1]))
    assert waits[1:] == pytest.approx(expected)


@given(st.data(), policies())
def test_arrays_wait_as_long_as_scalars(data, policy):
    """The vector form equals the scalar form bit for bit, at any step."""
    cases = data.draw(st.lists(st.tuples(STEPS, DRAWS, st.floats(0, LONGEST_DELAY)), min_size=1))
    steps, u, previous = (np.array(column) for column in zip(*cases, strict=True))
    assert delays(policy, steps, u, previous).tolist() == [delay(policy, *case) for case in cases]


@given(policies(), DRAWS)
def test_the_first_delay_has_no_previous_one(policy, u):
    """Before the first retry, no previous delay and a previous delay of 0 are the same."""
    first = delay(policy, 1, u)
    assert first == delay(policy, 1, u, 0.0)
    assert [first] == delays(policy, np.array([1]), np.array([u])).tolist()


@given(policies(), STEPS)
def test_delays_before_jitter_never_fall(policy, step):
    """The schedule grows from `base` and stays within the cap that applies before jitter."""
    waits = schedule(policy)
    assert waits[0] == policy.base
    assert np.all(np.diff(waits) > 0)
    assert waits.size <= LAST_STEP
    limit = policy.cap if policy.cap and not policy.cap_after_jitter else LONGEST_DELAY
    assert waits[-1] <= limit


BOUNDS = {
    "none": lambda wait, _: (wait, wait),
    "full": lambda wait, _: (0, wait),
    "equal": lambda wait, _: (wait / 2, wait),
    "proportional": lambda wait, spread: (wait * (1 - spread), wait * (1 + spread)),
    "additive": lambda wait, spread: (wait, wait + spread),
    "subtractive": lambda wait, spread: (wait * (1 - spread), wait),
    "first-attempt": lambda wait, _: (0, wait),
}


@given(policies(list(BOUNDS)), STEPS, DRAWS)
def test_jitter_keeps_within_its_bounds(policy, step, u):
    """Each kind spreads over its own range, which a cap after jitter cuts off."""
    waits = schedule(policy)
    place = step - (policy.immediate_first and not policy.immediate_counts)
    low, high = BOUNDS[policy.jitter](waits[min(place, waits.size) - 1], policy.spread)
    limit = policy.cap if policy.cap_after_jitter else LONGEST_DELAY
    if policy.immediate_first and step == 1:
        low, high = 0, 0
    slack = 1e-12 * high
    assert min(low, limit) - slack <= delay(policy, step, u) <= min(high, limit) + slack


@given(policies(["decorrelated"]), STEPS, DRAWS, st.floats(0, 1e6))
def test_decorrelated_jitter_lies_between_base_and_a_multiple_of_the_last(
    policy, step, u, previous
):
    """It depends on the previous delay alone, and the cap holds whichever way it is applied."""
    wait = delay(policy, step, u, previous)
    if policy.immediate_first and step == 1:
        assert wait == 0
        return
    factor = policy.factor or 3.0
    high = min(factor * max(previous, policy.base), policy.cap or LONGEST_DELAY)
    assert policy.base * (1 - 1e-12) <= wait <= high * (1 + 1e-12)


@given(policies(), STEPS, DRAWS, st.floats(0, LONGEST_DELAY))
def test_a_delay_is_always_finite(policy, step, u, previous):
    """However long the retrying goes on, nothing overflows."""
    assert 0 <= delay(policy, step, u, previous) <= LONGEST_DELAY


def test_growth_without_a_cap_ends_at_the_longest_delay():
    """Step 10**18 of an uncapped doubling waits LONGEST_DELAY, and linear growth stops in time."""
    assert delay(Policy(), 10**18, 0.5) == LONGEST_DELAY
    assert delay(Policy(growth="linear"), 10**18, 0.5) == LAST_STEP


def test_a_cap_before_jitter_leaves_clients_spread_and_a_cap_after_it_does_not():
    """At the cap, full jitter spreads over (0, cap), unless the cap comes last."""
    u = uniforms(1, Purpose.BACKOFF, np.arange(1000))
    before = Policy(cap=10.0, jitter="full")
    after = before.model_copy(update={"cap_after_jitter": True})
    late = np.full(1000, 30)
    assert stats.kstest(delays(before, late, u) / 10, "uniform").pvalue > 1e-4
    assert set(delays(after, late, u)) == {10.0}


@pytest.mark.parametrize(
    ("jitter", "low", "high"),
    [("full", 0.0, 4.0), ("equal", 2.0, 4.0), ("first-attempt", 4.0, 4.0)],
)
def test_jitter_has_the_closed_form_density(jitter, low, high):
    """The third delay is uniform: full over (0, bound), equal over (bound/2, bound)."""
    u = uniforms(1, Purpose.BACKOFF, np.arange(20_000), 0, 3)
    waits = delays(Policy(jitter=jitter), np.full(20_000, 3), u)
    if low == high:
        assert set(waits) == {low}
    else:
        assert stats.kstest(waits, "uniform", args=(low, high - low)).pvalue > 1e-4


# The first retry, the last, and the yardstick


def test_an_immediate_first_retry_is_free_unless_the_policy_says_otherwise():
    """After a retry at once, the growth starts at its first step, or at its second if it counts."""
    free = Policy(immediate_first=True)
    counted = Policy(immediate_first=True, immediate_counts=True)
    assert [delay(free, step, 0.5) for step in (1, 2, 3)] == [0, 1, 2]
    assert [delay(counted, step, 0.5) for step in (1, 2, 3)] == [0, 2, 4]


def test_first_attempt_jitter_falls_on_the_first_delay_that_is_not_immediate():
    """The jitter is not lost on a retry made at once."""
    policy = Policy(jitter="first-attempt", immediate_first=True)
    assert [delay(policy, step, 0.25) for step in (1, 2, 3)] == [0, 0.25, 2]


def test_a_client_gives_up_after_its_last_attempt():
    """`max_attempts` retries are made and no more; without it there is no end."""
    assert [gives_up(Policy(max_attempts=2), step) for step in (1, 2, 3)] == [False, False, True]
    assert gives_up(Policy(max_attempts=0), 1)
    assert not gives_up(Policy(), 10**18)


def test_the_yardstick_is_the_first_delay_before_jitter():
    """Basic policies share one yardstick, whatever their jitter; "immediate" has none."""
    yardsticks = {name: first_delay(policy) for name, policy in BASIC.items()}
    assert yardsticks.pop("immediate") == 0.0
    assert set(yardsticks.values()) == {1.0}
    assert first_delay(Policy(immediate_first=True)) == 1.0
    assert first_delay(Policy(immediate_first=True, immediate_counts=True)) == 2.0


# Settings


@pytest.mark.parametrize(
    "settings",
    [
        {"growth": "constant", "factor": 2.0},
        {"growth": "constant", "cap": 5.0},
        {"growth": "linear", "jitter": "decorrelated"},
        {"spread": 0.3},
        {"jitter": "full", "spread": 0.3},
        {"jitter": "proportional"},
        {"jitter": "proportional", "spread": 1.5},
        {"cap": 10.0, "cap_after_jitter": True},
        {"jitter": "full", "cap_after_jitter": True},
        {"immediate_counts": True},
        {"base": 2.0, "cap": 1.0},
        {"base": -1.0},
        {"factor": 0.5},
        {"max_attempts": -1},
        {"reset_after": 0.0},
        {"jitters": "full"},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_together_are_errors(settings):
    """What would be ignored is refused."""
    with pytest.raises(ValidationError):
        Policy(**settings)


def test_every_mistake_is_reported_at_once():
    """Two settings that do nothing are two problems in one message."""
    with pytest.raises(ValidationError, match=r"factor needs .*; spread needs"):
        Policy(growth="constant", factor=2.0, spread=1.0)


@given(policies())
def test_a_policy_survives_being_written_out(policy):
    """Dumped without its Nones, as TOML requires, a policy reads back equal."""
    assert ANY_POLICY.validate_python(policy.model_dump(exclude_none=True)) == policy


@pytest.mark.parametrize("name", BASIC)
def test_a_basic_policy_goes_by_its_name(name):
    """A name stands for the policy, in full as well."""
    assert ANY_POLICY.validate_python(name) is BASIC[name]
    written = BASIC[name].model_dump(exclude_none=True)
    assert ANY_POLICY.validate_python(written) == BASIC[name]
    assert BASIC[name].label == name


def test_an_unknown_name_is_told_the_nearest_and_all():
    """The message suggests what was meant and lists what there is."""
    with pytest.raises(ValidationError) as caught:
        ANY_POLICY.validate_python("exponential-ful-jitter")
    [error] = caught.value.errors()
    assert error["type"] == "unknown_policy"
    assert error["msg"].startswith("did you mean 'exponential-full-jitter'? valid: ")
    assert "exponential, exponential-decorrelated-jitter" in error["msg"]


@pytest.mark.parametrize("value", [3, None, ["fixed"], {"name": ["fixed"]}])
def test_what_is_neither_name_nor_table_is_left_to_pydantic(value):
    """The look-up passes through what it does not know, for pydantic to refuse."""
    assert resolve_policy(value) is value
    with pytest.raises(ValidationError):
        ANY_POLICY.validate_python(value)


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("exponential-full-jitter", {"jitter": "none"}, Policy(cap=10.0)),
        ("exponential-full-jitter", {"cap": "none"}, Policy(jitter="full")),
        (
            "exponential-full-jitter",
            {"growth": "constant"},
            Policy(growth="constant", jitter="full"),
        ),
        ("exponential-proportional-jitter", {"jitter": "none"}, Policy(cap=10.0)),
        ("exponential-decorrelated-jitter", {"cap": "none"}, Policy(jitter="decorrelated")),
        ("linear", {"jitter": "decorrelated"}, Policy(cap=10.0, jitter="decorrelated")),
        ("exponential", {"max_attempts": 3}, Policy(cap=10.0, max_attempts=3)),
    ],
)
def test_one_setting_of_a_named_policy_can_be_changed(name, changes, expected):
    """What the change makes meaningless goes, and so does the name, which is no longer true."""
    assert ANY_POLICY.validate_python({"name": name, **changes}) == expected
    whole = BASIC[name].model_dump(exclude_none=True)
    assert ANY_POLICY.validate_python({**whole, **changes}) == expected


def test_a_change_that_makes_no_sense_is_still_an_error():
    """Only what was inherited may go silently."""
    with pytest.raises(ValidationError, match="spread needs"):
        ANY_POLICY.validate_python({"name": "exponential", "spread": 0.5})
    with pytest.raises(ValidationError, match="extra_forbidden"):
        ANY_POLICY.validate_python({"name": "exponential", "bse": 0.5})


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (BASIC["immediate"], "no delay"),
        (BASIC["fixed"], "constant 1 s"),
        (BASIC["exponential-full-jitter"], "exponential 1 s x2 up to 10 s, full jitter"),
        (
            Policy(growth="linear", base=0.5, jitter="additive", spread=0.1, max_attempts=4),
            "linear 0.5 s, additive jitter of 0.1 s, gives up after 4 retries",
        ),
        (
            Policy(immediate_first=True, reset_after=None, count_from="start"),
            "exponential 1 s x2, first retry at once, starts over on every connect, "
            "counted from the attempt's start",
        ),
    ],
)
def test_a_policy_describes_itself(policy, words):
    """A description says what differs from the plainest policy."""
    assert describe(policy) == words
    assert policy.model_copy(update={"name": ""}).label == words


def test_basic_policies_are_the_documented_ones():
    """The names are part of the contract."""
    assert list(BASIC) == [
        "immediate",
        "fixed",
        "linear",
        "exponential",
        "exponential-full-jitter",
        "exponential-equal-jitter",
        "exponential-decorrelated-jitter",
        "exponential-proportional-jitter",
    ]
