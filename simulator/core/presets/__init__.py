"""Policies of real client libraries, with the places they were read from."""

from collections.abc import Mapping
from types import MappingProxyType

from simulator.core.backoff import Policy
from simulator.core.presets.preset import Preset

__all__ = ["PRESETS", "Preset"]

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset(
                name="partysocket",
                library="partysocket",
                version="1.3.0",
                licence="MIT",
                source="src/ws.ts 126-136, 441-458, 515-533, 615-625",
                rule="3 s, 1.3 times as long each time, up to 10 s; over after 5 s connected.",
                storm="Dangerous: no jitter, so that all clients come back at the same instants.",
                policy=Policy(name="partysocket", base=3.0, factor=1.3, cap=10.0),
                client=MappingProxyType({"connect_timeout": 4.0, "heartbeat": None}),
            ),
            Preset(
                name="aws-full",
                library="AWS backoff simulator, full jitter",
                version="095a0760",
                licence="Apache-2.0",
                source="aws-samples/aws-arch-backoff-simulator src/backoff_simulator.py 22-56",
                rule="Anything up to 10 ms, twice as much each time, up to 2 s.",
                storm="Safe: attempts are spread evenly over all of the bound.",
                policy=Policy(name="aws-full", base=0.01, cap=2.0, jitter="full"),
            ),
            Preset(
                name="seed",
                library="the document that herd grew from",
                version="1",
                licence="MIT",
                source="-",
                rule="1 s, twice as long each time, up to 30 s, 30 % more or less.",
                storm="Fair: jitter, but waves stay visible for the first few attempts.",
                policy=Policy(
                    name="seed", cap=30.0, jitter="proportional", spread=0.3, reset_after=None
                ),
            ),
        )
    }
)
"""The presets by name."""
