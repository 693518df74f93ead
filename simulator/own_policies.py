"""Policies of the user's own, given by a text: a Python function, or a file of recorded delays.

    mymodule:delay    what `module:attribute` names: a function of step, u and previous; a class or
                      an object with such a method `delay`; or a `Policy`
    delays.csv        a file of recorded delays, relative to the working directory

Whatever else there is to say about a client is said in attributes of the function or the class that
are called like a policy's settings (`max_attempts = 5`), or in a table of a scenario that starts
from it (`policy = { name = "mymodule:delay", max_attempts = 5 }`).
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from simulator.core.backoff import Policy, delay
from simulator.core.backoff.functions import FUNCTION_NAME, function_named, object_named
from simulator.core.backoff.policy import SHAPING
from simulator.core.policies import NAMED, resolve_policy
from simulator.errors import InputError, UnknownNameError
from simulator.recorded_delays import SUFFIX, recorded_policy

_SETTINGS = tuple(
    field for field in Policy.model_fields if field not in {*SHAPING, "name", "function"}
)
"""What an attribute of a function or a class can say beside its delays."""
_SPELT_OUT = {"growth", "base", "jitter"}
"""Fields of a table that is a policy by itself, whatever its name: as records have them."""
_TRIED_STEPS = range(1, 13)
_TRIED_DRAWS = (0.001, 0.5, 0.999)


def policy_named(text: str, known: Mapping[str, Policy] = NAMED) -> Policy:
    """The policy that a text names.

    Args:
        text: The name of a known policy, `module:attribute`, or a CSV file.
        known: Policies by name.

    Raises:
        InputError: There is no such policy, or it cannot be used.
    """
    if text in known:
        return known[text]
    if not _is_own(text):
        raise UnknownNameError("policy", text, known)
    return recorded_policy(Path(text)) if text.endswith(SUFFIX) else _function_policy(text)


def resolve(value: Any) -> Any:  # noqa: ANN401 - whatever a TOML file holds
    """Look a policy up by its name; for use as a validator before pydantic's own.

    A table that carries the name of a policy starts from it. One of the user's own keeps its name.

    Raises:
        PydanticCustomError: The name is unknown, or the policy cannot be used.
    """
    try:
        match value:
            case str(text) if _is_own(text):
                return policy_named(text)
            case {"name": str(text)} if _is_reference(text, value):
                settings = policy_named(text).model_dump(exclude_unset=True)
                return {**value, **settings, **{key: value[key] for key in value if key != "name"}}
    except InputError as error:
        raise PydanticCustomError("unknown_policy", "{why}", {"why": str(error)}) from None
    return resolve_policy(value)


def try_functions(policies: Iterable[Policy]) -> None:
    """See before anything runs whether the functions that policies name can be used.

    Raises:
        InputError: One cannot be found, raises, or gives no number of seconds.
    """
    for policy in policies:
        for u in _TRIED_DRAWS if policy.function else ():
            previous = 0.0
            for step in _TRIED_STEPS:
                previous = delay(policy, step, u, previous)


def _is_own(text: str) -> bool:
    return ":" in text or text.endswith(SUFFIX)


def _is_reference(text: str, table: Mapping[str, Any]) -> bool:
    """Does a table with this name start from a policy of one's own, or is it only called so?"""
    is_well_formed = text.endswith(SUFFIX) or re.match(FUNCTION_NAME, text) is not None
    return _is_own(text) and is_well_formed and not table.keys() >= _SPELT_OUT


def _function_policy(name: str) -> Policy:
    if not re.match(FUNCTION_NAME, name):
        raise InputError(f"policy {name!r}: allowed: MODULE:ATTRIBUTE, as in mymodule:delay")
    found = object_named(name)
    label = name.replace(":", ".")
    if isinstance(found, Policy):
        return found if found.name else found.model_copy(update={"name": label})
    function_named(name)
    settings = {field: getattr(found, field) for field in _SETTINGS if hasattr(found, field)}
    try:
        policy = Policy.model_validate({"name": label, "function": name, **settings})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{name}: {place}: {first['msg']}") from None
    try_functions([policy])
    return policy
