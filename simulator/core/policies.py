"""Policies by name: the basic ones and the presets of real libraries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic_core import PydanticCustomError

from server_stub.problems import suggest
from server_stub.settings import OrNone
from simulator.core.backoff import BASIC, Policy, without_effect
from simulator.core.presets import PRESETS

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
        return _overridden(NAMED[name], value)
    return value


def _overridden(policy: Policy, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `policy` after `changes`, less those that the changes made meaningless."""
    settings = policy.model_dump()
    optional = {field for field, info in Policy.model_fields.items() if OrNone in info.metadata}
    changed: dict[str, Any] = {
        field: None if value == "none" and field in optional else _frozen(value)
        for field, value in {**settings, **changes}.items()
    }
    if changed == settings:
        return changed
    unmet = without_effect(Policy.model_construct(**changed))
    return {
        field: value
        for field, value in changed.items()
        if field != "name" and not (field in unmet and value == settings[field])
    }


def _frozen(value: Any) -> Any:  # noqa: ANN401 - whatever a TOML file holds
    """Lists as the tuples that a policy keeps them in."""
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
