"""What is known of a client library that reconnects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from simulator.core.backoff import Policy


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """A library's way to come back: where it is written, and herd's form of it."""

    name: str
    """As people install it, without scope or `-client`."""
    library: str
    """Its full name."""
    version: str
    licence: str
    source: str
    """The file and the lines that the rule was read from."""
    rule: str
    """Its delays and what goes with them, in words."""
    storm: str
    """What makes it dangerous or safe when a whole herd follows it, in one line."""
    policy: Policy
    client: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """The library's other habits, as fields of a scenario's `[client]`: its connect timeout, its
    heartbeat, the close codes it obeys, what wakes it. What is not here it leaves to herd."""
