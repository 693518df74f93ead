"""Searches that ask a noisy question as seldom as they can: doubling, then halving."""

import math
from collections.abc import Callable
from typing import NamedTuple

_FIRST_STEP = 2**0.25
"""How many times as much is looked at first; each further step is the square of the one before, for
edges that are near matter most."""


class Bracket(NamedTuple):
    """Where an answer changes."""

    last: float
    """The furthest value with the answer that the start has."""
    first: float | None
    """The nearest with the other; None if there is none as far as was looked."""


def edge(
    answer: Callable[[float], bool],
    *,
    start: float,
    up: bool,
    most: float,
    tolerance: float,
) -> Bracket:
    """Find where an answer changes, going from a start in ever longer steps and then by bisection.

    Of several changes it finds one between the start and the first value that differs.

    Args:
        answer: The question; asked of positive numbers.
        start: Where to begin.
        up: Towards larger numbers, or smaller ones?
        most: How many times as large, or as small, to look at most.
        tolerance: The bracket is at most this share of its lower end wide.
    """
    same = answer(start)
    last, first = start, None
    factor = math.sqrt(_FIRST_STEP)
    while first is None and factor < most:
        factor = min(factor * factor, most)
        value = start * factor if up else start / factor
        if answer(value) == same:
            last = value
        else:
            first = value
    while first is not None and abs(math.log(first / last)) > math.log1p(tolerance):
        middle = math.sqrt(first * last)
        if answer(middle) == same:
            last = middle
        else:
            first = middle
    return Bracket(last, first)


def smallest(
    meets: Callable[[int], bool], *, start: int, most: int, tolerance: float = 0.0, low: int = 0
) -> int | None:
    """The smallest number that meets a condition which larger ones tend to meet.

    Args:
        meets: Whether a number does.
        start: Where to begin; doubled until one meets it, halved until one does not.
        most: The largest number to look at.
        tolerance: How much too large the answer may be, as a share of it.
        low: A number below `start` that is known not to meet it.

    Returns:
        A number that was seen to meet it, one next below having been seen not to; None if not even
        `most` does.
    """
    high = start  # `low` does not meet it, `high` does.
    if meets(start):
        while (half := max(1, high // 2)) > low and half < high:
            if not meets(half):
                low = half
                break
            high = half
    else:
        while True:
            if high >= most:
                return None
            low, high = high, min(2 * high, most)
            if meets(high):
                break
    while high - low > max(1, tolerance * high):
        middle = (low + high) // 2
        if meets(middle):
            high = middle
        else:
            low = middle
    return high
