"""The form in which a delay policy is written.

A retry's `step` counts from 1 since the counter was last reset. An immediate first retry is step
1 and uses up no step of the growth, unless the policy says so (RULES.md, 18).
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from server_stub.settings import Count, OrNone, PositiveCount, PositiveSeconds, Settings
from simulator.core.backoff.functions import FUNCTION_NAME
from simulator.core.backoff.points import Quantiles, ShareQuantiles
from simulator.core.backoff.words import describe

LONGEST_DELAY = 1e9
"""Seconds (32 years), the most that any policy waits: nothing overflows, and an instant plus a
delay still fits into 64 bits of nanoseconds."""
LAST_STEP = 65_536
"""The step at which growth ends if nothing has ended it before."""

Wait = Annotated[float, Field(ge=0, le=LONGEST_DELAY, strict=True)]
Factor = Annotated[float, Field(ge=1, le=1e6, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Growth = Literal["constant", "linear", "exponential"]
Jitter = Literal[
    "none",
    "full",
    "equal",
    "decorrelated",
    "proportional",
    "additive",
    "subtractive",
    "first-attempt",
]


def _kind_of_wait(value: Any) -> str:  # noqa: ANN401 - whatever a TOML file holds
    return "points" if isinstance(value, list | tuple) else "seconds"


WaitOrQuantiles = Annotated[
    Annotated[Wait, Tag("seconds")] | Annotated[Quantiles, Tag("points")],
    Discriminator(_kind_of_wait),
]


class Policy(Settings):
    """When a client that lost its connection tries again, and when it stops trying.

    A setting that the others make meaningless is an error, never ignored.
    """

    name: str = ""
    """What to call it; unless set, its description serves."""
    library: str = ""
    """The preset whose other habits (connect timeout, heartbeat, close codes ...) a client of this
    policy has where its scenario does not set them; empty for none."""

    function: Annotated[str, Field(pattern=FUNCTION_NAME)] = ""
    """A Python function, as `module:attribute`, that gives the delays by step in the place of
    whatever shapes them otherwise; empty for none. See `simulator.core.backoff.functions`."""

    growth: Growth = "exponential"
    """From step to step: the same, `base` more, or `factor` times as much."""
    base: Wait = 1.0
    """Seconds of the first step before jitter."""
    base_spread: Wait = 0.0
    """Seconds by which a client's own base is longer, at most; uniform, and drawn once in its life,
    so that its delays stay in proportion to one another."""
    factor: Annotated[Factor | None, OrNone] = None
    """Of exponential growth, 2 unless set. With decorrelated jitter it multiplies the previous
    delay, and is 3 unless set (both from aws-samples/aws-arch-backoff-simulator)."""
    cap: Annotated[Wait | None, OrNone] = None
    """Seconds at which growth ends; "none" for no end."""
    waits: tuple[WaitOrQuantiles, ...] = ()
    """Seconds of the first steps before jitter, one by one, in the place of a growth. A list of
    points (probability, seconds) in the place of a number is drawn from, and is not jittered."""
    then: Literal["repeat", "grow"] = "repeat"
    """After the last of `waits`: the same again for ever, or a growth from `base`."""

    jitter: Jitter = "none"
    """With b the delay before jitter and u uniform on (0, 1):

    - none: b
    - full: u b
    - equal: b/2 + u b/2
    - decorrelated: base + u (factor p - base), p being the previous delay, or base if that is more
    - proportional: b (1 - spread + 2 spread u)
    - additive: b + spread u
    - subtractive: b (1 - spread u)
    - first-attempt: u b for the first delay that is not immediate, b for those after it
    """
    spread: Annotated[Wait | None, OrNone] = None
    """Of proportional and subtractive jitter, as a share of the delay; of additive, in seconds."""
    shape: ShareQuantiles = ()
    """Points (probability, share) of the distribution that u has instead; none for an even one."""
    jitter_from: PositiveCount = 1
    """The first step of the growth that is jittered."""
    jitter_until: Annotated[PositiveCount | None, OrNone] = None
    """The last one; "none" for all."""
    offset: Wait = 0.0
    """Seconds that are added after jitter, to each delay but an immediate one."""
    cap_after_jitter: Flag = False
    """False: b is min(cap, growth), so that clients stay spread at the cap; proportional and
    additive jitter then reach above it, and decorrelated draws below min(cap, factor p). True: b
    grows past the cap and the delay is min(cap, jittered b), so that in the end all clients wait
    exactly the cap (with decorrelated jitter, whose p is itself capped, two in three)."""
    resolution: Annotated[PositiveSeconds | None, OrNone] = None
    """Seconds of which every delay is a whole multiple, cut down; 0.001 for JavaScript's timers."""
    overflow_step: Annotated[PositiveCount | None, OrNone] = None
    """The step of the growth from which on a library's own number is infinite. A delay that jitter
    would shorten is then no number at all (infinity less infinity), which a timer takes for 0, and
    one that it would lengthen is the cap. "none": nothing ever overflows."""

    immediate_first: Flag = False
    """Is the first retry made at once?"""
    immediate_counts: Flag = False
    """Does that retry use up a step of the growth?"""
    first_from_start: Flag = False
    """Does the first delay after a loss count from the start of the attempt that had led to the
    connection? Then it is over already, unless the connection was short."""
    count_from: Literal["failure", "start", "remainder", "slot", "poll"] = "failure"
    """What a delay after a failed attempt counts from:

    - failure: the end of the attempt
    - start: its start
    - remainder: its end, but b is shorter, before jitter, by what the attempt took
    - slot: its start; and an attempt that has not succeeded when the delay is over is given up
    - poll: its start; and a timer that runs on meanwhile, so that an attempt which fails later is
      followed at the timer's next round, each round that it took being a step
    """
    outlasts_timeout: Flag = False
    """Does an attempt go on for as long as the delay after it will be, where that is more than the
    client's connect timeout?"""
    suspended_after: Annotated[PositiveSeconds | None, OrNone] = None
    """Seconds after the loss at which whatever goes on is given up for `suspended_delay`, which is
    every delay from then on, without jitter."""
    suspended_delay: Annotated[Wait | None, OrNone] = None
    """Seconds."""

    max_attempts: Annotated[Count | None, OrNone] = None
    """Retries in a row, an immediate one included, after which the client gives up for good."""
    ends_on_failure: Flag = False
    """Does an attempt that fails end it all, so that only lost connections are followed by a
    retry?"""
    reset_on: Literal["open", "answer"] = "open"
    """What proves a connection good, so that the counter may start over: that it is open, or that
    the server's application has answered on it."""
    reset_after: Annotated[PositiveSeconds | None, OrNone] = 5.0
    """Seconds since then after which the next loss starts from step 1; "none": it does at once.
    5 s as in reconnecting-websocket and partysocket: a server that accepts and then drops its
    clients meets growing delays, not a loop at the shortest one."""

    @model_validator(mode="after")
    def _settings_fit_together(self) -> Self:
        problems = [f"{field} needs {need}" for field, need in without_effect(self).items()]
        problems += _contradictions(self)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def label(self) -> str:
        """Its name, or a description in plain words."""
        return self.name or describe(self)

    @property
    def growth_factor(self) -> float:
        """Its factor, or the usual one."""
        return self.factor or (3.0 if self.jitter == "decorrelated" else 2.0)

    @property
    def grows(self) -> bool:
        """Is there a growth, rather than a list of waits alone?"""
        return not self.waits or self.then == "grow"


SHAPING = (
    *("growth", "base", "base_spread", "factor", "cap", "waits", "then"),
    *("jitter", "spread", "shape", "jitter_from", "jitter_until", "offset", "cap_after_jitter"),
    "overflow_step",
)
"""The settings that make a delay by its step."""
_NEED_SPREAD = ("proportional", "additive", "subtractive")
_STEPWISE = ("decorrelated", "first-attempt")
"""Kinds of jitter that have a say of their own in which steps they fall on."""


def _is_set(policy: Policy, field: str) -> bool:
    return bool(getattr(policy, field) != Policy.model_fields[field].default)


def without_effect(policy: Policy) -> dict[str, str]:
    """The settings that do nothing beside the others, and what they need to do something."""
    grows = policy.growth != "constant"
    decorrelated = policy.jitter == "decorrelated"
    jittered = policy.jitter != "none"
    by_step = jittered and policy.jitter not in _STEPWISE
    a_growth = "a growth: no waits, or then = 'grow'"
    needs = {
        "growth": (
            policy.grows and not decorrelated,
            f"{a_growth}, and a jitter other than 'decorrelated', which grows by itself",
        ),
        "base": (policy.grows, a_growth),
        "base_spread": (
            not policy.waits and not decorrelated,
            "a growth without waits, and a jitter other than 'decorrelated'",
        ),
        "factor": (policy.grows and policy.growth == "exponential", "growth = 'exponential'"),
        "cap": ((policy.grows and grows) or policy.cap_after_jitter, "a growth to end"),
        "waits": (not decorrelated, "a jitter other than 'decorrelated', which grows by itself"),
        "then": (bool(policy.waits), "waits"),
        "spread": (policy.jitter in _NEED_SPREAD, f"jitter to be one of {_NEED_SPREAD}"),
        "shape": (jittered, "jitter"),
        "jitter_from": (by_step, f"jitter, and not one of {_STEPWISE}"),
        "jitter_until": (by_step, f"jitter, and not one of {_STEPWISE}"),
        "offset": (jittered, "jitter"),
        "cap_after_jitter": (policy.cap is not None and jittered, "cap and jitter"),
        "overflow_step": (
            policy.jitter == "proportional" and policy.cap_after_jitter,
            "jitter = 'proportional' and cap_after_jitter",
        ),
        "immediate_counts": (
            policy.immediate_first and (grows or bool(policy.waits)) and not decorrelated,
            "immediate_first and a growth by step",
        ),
        "first_from_start": (
            not policy.immediate_first and policy.count_from != "poll",
            "immediate_first = false and a count_from other than 'poll'",
        ),
        "outlasts_timeout": (
            policy.count_from != "slot",
            "a count_from other than 'slot', where the delay itself ends the attempt",
        ),
        "suspended_delay": (policy.suspended_after is not None, "suspended_after"),
    }
    if policy.function:
        needs |= dict.fromkeys(SHAPING, (False, "function to be unset, which gives the delays"))
    return {
        field: need for field, (met, need) in needs.items() if not met and _is_set(policy, field)
    }


def _contradictions(policy: Policy) -> Iterator[str]:
    """What is missing, or does not go together."""
    if policy.jitter in _NEED_SPREAD and policy.spread is None:
        yield f"jitter = {policy.jitter!r} needs spread"
    if policy.jitter in ("proportional", "subtractive") and (policy.spread or 0.0) > 1:
        yield f"spread = {policy.spread:g} is a share here: at most 1"
    if policy.cap is not None and policy.grows and policy.cap < policy.base:
        yield f"cap = {policy.cap:g} is below base = {policy.base:g}"
    if policy.suspended_after is not None and policy.suspended_delay is None:
        yield "suspended_after needs suspended_delay"
    if policy.count_from == "remainder" and policy.jitter == "decorrelated":
        yield "count_from = 'remainder' needs a jitter other than 'decorrelated'"
    if policy.jitter_until is not None and policy.jitter_until < policy.jitter_from:
        yield f"jitter_until = {policy.jitter_until} is below jitter_from = {policy.jitter_from}"
