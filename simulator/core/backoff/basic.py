"""The basic policies, which everything else is compared with."""

from collections.abc import Mapping
from types import MappingProxyType

from simulator.core.backoff.policy import Policy

BASIC: Mapping[str, Policy] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            Policy(name="immediate", growth="constant", base=0.0),
            Policy(name="fixed", growth="constant"),
            Policy(name="linear", growth="linear", cap=10.0),
            Policy(name="exponential", cap=10.0),
            Policy(name="exponential-full-jitter", cap=10.0, jitter="full"),
            Policy(name="exponential-equal-jitter", cap=10.0, jitter="equal"),
            Policy(
                name="exponential-decorrelated-jitter",
                cap=10.0,
                jitter="decorrelated",
                cap_after_jitter=True,
            ),
            Policy(
                name="exponential-proportional-jitter", cap=10.0, jitter="proportional", spread=0.3
            ),
        )
    }
)
"""The basic policies by name: 1 s to start from, doubling (decorrelated jitter as AWS published
it: up to three times the last delay), 10 s at most."""
