"""A policy in plain words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.core.backoff.policy import Policy

_PHRASES = {
    "cap_after_jitter": "capped after jitter",
    "resolution": "cut to whole multiples of {:g} s",
    "overflow_step": "overflows at step {}",
    "immediate_first": "first retry at once",
    "immediate_counts": "which counts as a step",
    "first_from_start": "the first delay counted from the start of the connection's attempt",
    "max_attempts": "gives up after {} retries",
    "ends_on_failure": "gives up after a failed attempt",
}
"""What a description says of each setting that is not at its default."""
_COUNTED = {
    "start": "counted from the attempt's start",
    "remainder": "less what the attempt took, before jitter",
    "slot": "counted from the attempt's start, which is given up then",
    "poll": "polled by a timer that runs on",
}


def describe(policy: "Policy") -> str:
    """The policy in plain words: "exponential 1 s x2 up to 10 s, full jitter"."""
    return ", ".join([*_delays(policy), *_jitter(policy), *_rest(policy)])


def _delays(policy: "Policy") -> Iterator[str]:
    if policy.function:
        yield f"delays by {policy.function}"
        return
    if policy.waits:
        yield f"waits of {', '.join(map(_wait, policy.waits))} s"
    if not policy.grows:
        return
    growth = f"{policy.growth} {policy.base:g}"
    if policy.base_spread:
        growth += f" to {policy.base + policy.base_spread:g} s (drawn once per client)"
    else:
        growth += " s"
    if policy.growth == "exponential":
        growth += f" x{policy.growth_factor:g}"
    if policy.cap is not None:
        growth += f" up to {policy.cap:g} s"
    if policy.base == 0 and not policy.base_spread:
        growth = "no delay"
    yield f"then {growth}" if policy.waits else growth


def _wait(wait: float | tuple[tuple[float, float], ...]) -> str:
    return f"{wait:g}" if isinstance(wait, float) else f"{wait[0][1]:g}-{wait[-1][1]:g}"


def _jitter(policy: "Policy") -> Iterator[str]:
    if policy.jitter == "none":
        return
    words = f"{policy.jitter} jitter"
    if policy.spread is not None:
        words += f" of {policy.spread:g}{' s' if policy.jitter == 'additive' else ''}"
    if policy.offset:
        words += f" after {policy.offset:g} s"
    if policy.shape:
        words += ", unevenly"
    if policy.jitter_until is not None:
        words += f" on steps {policy.jitter_from} to {policy.jitter_until}"
    elif policy.jitter_from > 1:
        words += f" from step {policy.jitter_from} on"
    yield words


def _rest(policy: "Policy") -> Iterator[str]:
    fields = type(policy).model_fields
    for field, phrase in _PHRASES.items():
        value: Any = getattr(policy, field)
        if value != fields[field].default:
            yield phrase.format(value)
    if policy.reset_after != fields["reset_after"].default or policy.reset_on == "answer":
        yield _reset(policy)
    if policy.count_from != "failure":
        yield _COUNTED[policy.count_from]
    if policy.outlasts_timeout:
        yield "attempts last as long as the next delay"
    if policy.suspended_after is not None:
        yield f"every {policy.suspended_delay:g} s once down for {policy.suspended_after:g} s"


def _reset(policy: "Policy") -> str:
    on = {"open": "connect", "answer": "answer"}[policy.reset_on]
    if policy.reset_after is None:
        return f"starts over on every {on}"
    return f"starts over after {policy.reset_after:g} s " + (
        "connected" if policy.reset_on == "open" else "of answers"
    )
