"""Work for worker processes, some of whom do not survive it."""

import os
from pathlib import Path


def square(number):
    """What it says."""
    return number * number


def fail_at_three(number):
    """One of them cannot be done."""
    if number == 3:
        raise ValueError("three is right out")
    return square(number)


def die_once(task):
    """The worker of 3 dies, but only the first time."""
    directory, number = task
    mark = Path(directory) / "died"
    if number == 3 and not mark.exists():
        mark.touch()
        os._exit(1)
    return square(number)


def die_at_three(number):
    """The worker of 3 dies every time."""
    if number == 3:
        os._exit(1)
    return square(number)
