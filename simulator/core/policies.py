"""Policies by name: the basic ones and the presets of real libraries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic_core import PydanticCustomError

from simulator.core.backoff import BASIC, Policy, overridden
from simulator.core.presets import PRESETS
from simulator.errors import suggest

NAMED: Mapping[str, Policy] = MappingProxyType(
    {**BASIC, **{name: preset.policy for name, preset in PRESETS.items()}}
)
"""Every policy that can be called by its name."""


def resolve_policy(value: Any) -> Any:  # noqa: ANN401 - whatever a TOML file holds
    """Look a policy up by its name; for use as a validator before pydantic's own.

    A table that carries a known name starts from that policy and overrides it. If anything is
    different in the end, it loses the name, which would no longer be true.

    Raises:
        PydanticCustomError: The name is unknown.
    """
    if isinstance(value, str):
        if value not in NAMED:
            raise PydanticCustomError("unknown_policy", "{hint}", {"hint": suggest(value, NAMED)})
        return NAMED[value]
    if isinstance(value, Mapping) and isinstance(name := value.get("name"), str) and name in NAMED:
        return overridden(NAMED[name], value)
    return value
