"""What real client libraries do after a disconnect, with the places that it was read from.

Facts come from the libraries' published source, at the version given; most were also checked
against the running library. They are told in our own words and in the form of `Policy`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from simulator.core.presets.backends import BACKENDS
from simulator.core.presets.frameworks import FRAMEWORKS
from simulator.core.presets.preset import Preset
from simulator.core.presets.protocols import PROTOCOLS
from simulator.core.presets.references import REFERENCES
from simulator.core.presets.services import SERVICES
from simulator.core.presets.sockets import SOCKETS

__all__ = ["PRESETS", "Preset"]

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for family in (SOCKETS, FRAMEWORKS, SERVICES, PROTOCOLS, BACKENDS, REFERENCES)
        for preset in family
    }
)
"""The presets by name."""
