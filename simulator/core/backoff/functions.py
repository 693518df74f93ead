"""Delays that a Python function gives, for clients that no other form describes.

The function is named as in `module:attribute`, and looked up when its first delay is needed: a
recorded run loads without it, and each process of a live run finds it by itself.
"""

import importlib
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.errors import InputError

FUNCTION_NAME = r"^(\w+(\.\w+)*:\w+(\.\w+)*)?$"
_MOST_SECONDS = 1e9


class DelayFunction(Protocol):
    """What a policy of one's own must be able to do."""

    def __call__(self, step: int, u: float, previous: float) -> float:
        """Seconds to wait before a retry.

        It must depend on nothing but its arguments, since all clients share it.

        Args:
            step: Which retry since the counter was reset; the first is 1.
            u: A uniform draw in (0, 1), the only source of chance.
            previous: Seconds waited before the previous retry; 0 before the first.
        """
        ...


@lru_cache(maxsize=256)
def object_named(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    """What `module:attribute` names; of a class, an instance.

    Modules of the working directory are found, as with `python -m`.

    Raises:
        InputError: There is no such module or attribute, or the module or class raises.
    """
    module_name, _, attribute = name.partition(":")
    try:
        with _working_directory_first():
            found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise InputError(
                f"{name}: there is no module {error.name!r}, neither in {Path.cwd()} nor installed"
            ) from None
        raise _raised(name, f"importing {module_name}", error) from None
    except (Exception, SystemExit) as error:
        raise _raised(name, f"importing {module_name}", error) from None
    for step in attribute.split("."):
        if not hasattr(found, step):
            raise InputError(f"{name}: {module_name} has no attribute {attribute!r}")
        found = getattr(found, step)
    if not isinstance(found, type):
        return found
    try:
        return found()
    except Exception as error:
        raise _raised(name, f"making a {attribute}", error) from None


@lru_cache(maxsize=256)
def function_named(name: str) -> Callable[[int, float, float], Any]:
    """The function itself, or the `delay` of the object, that `module:attribute` names.

    Raises:
        InputError: There is none.
    """
    found = object_named(name)
    function: Callable[[int, float, float], Any] | None = getattr(found, "delay", found)
    if not callable(function):
        raise InputError(
            f"{name}: is of type {type(found).__name__}; allowed: a function of step, u and "
            "previous that gives seconds, or a class or an object with such a method `delay`"
        )
    return function


def delay_by(name: str, step: int, u: float, previous: float) -> float:
    """The delay that a function gives.

    Args:
        name: Of the function.
        step: As for the function, like the two that follow.
        u: As above.
        previous: As above.

    Raises:
        InputError: There is no such function, it raises, or it gives no number of seconds.
    """
    function = function_named(name)
    call = f"for step = {step}, u = {u:.6g}, previous = {previous:.6g}"
    try:
        wait = function(step, u, previous)
    except Exception as error:
        raise _raised(name, call, error) from None
    try:
        seconds = float(wait) if not isinstance(wait, str | bytes | bool) else math.nan
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds <= _MOST_SECONDS:
        raise InputError(
            f"{name}: gives {wait!r} {call}; allowed: seconds, from 0 to {_MOST_SECONDS:g}"
        )
    return seconds


def _raised(name: str, doing: str, error: BaseException) -> InputError:
    text = " ".join(str(error).split())
    return InputError(f"{name}: raises {type(error).__name__} {doing}: {text}".rstrip(": "))


@contextmanager
def _working_directory_first() -> Iterator[None]:
    """Look for modules in the working directory first; after it, at least last.

    Not first for good: modules in it may be called like some that herd imports later.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def delays_by(
    name: str,
    steps: NDArray[np.integer],
    u: NDArray[np.float64],
    previous: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """The same as `delay_by` for arrays of one shape (n,), one call for each entry."""
    before = np.zeros(u.size) if previous is None else previous
    calls = zip(steps.tolist(), u.tolist(), before.tolist(), strict=True)
    return np.array([delay_by(name, *call) for call in calls], dtype=np.float64)
