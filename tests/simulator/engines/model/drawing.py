"""Random small scenarios, full of ties, tiny backlogs and outages in the middle of things."""

from hypothesis import strategies as st

from server_stub.config import ServerConfig, ServiceTime
from server_stub.outage import Outage
from simulator.core.backoff import Policy
from simulator.core.presets import PRESETS
from simulator.scenario import Cohort, HeartbeatConfig, Scenario

_PRESETS = [preset.policy for preset in PRESETS.values()]

coarse = st.sampled_from([0.1, 0.25, 0.5, 1.0, 1.5, 2.0])
"""Seconds, few of them, so that things happen at the same instant."""


@st.composite
def policies(draw):
    """Every growth and most kinds of jitter."""
    growth = draw(st.sampled_from(["constant", "linear", "exponential"]))
    jitter = draw(st.sampled_from(["none", "none", "full", "equal", "decorrelated"]))
    base = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    fields = {"jitter": jitter, "base": base}
    if jitter != "decorrelated":
        fields["growth"] = growth
    if growth != "constant" or jitter == "decorrelated":
        fields["cap"] = base + draw(coarse)
    return Policy(
        **fields,
        immediate_first=draw(st.booleans()),
        max_attempts=draw(st.sampled_from([None, None, 3, 8])),
        reset_after=draw(st.sampled_from([None, 0.5, 3.0])),
        count_from=draw(st.sampled_from(["failure", "start"])),
    )


@st.composite
def cohorts(draw, name, share):
    """Patient ones and others."""
    return Cohort(
        name=name,
        share=share,
        policy=draw(policies() | st.sampled_from(_PRESETS)),
        rtt=draw(st.sampled_from([0.02, 0.05, 0.1])),
        connect_timeout=draw(st.sampled_from([None, 0.2, 0.5, 2.0])),
        heartbeat=draw(
            st.sampled_from([None, HeartbeatConfig(interval=1.0, timeout=0.5), HeartbeatConfig()])
        ),
        statuses={"end": draw(st.sampled_from([[], [], ["500-599"]]))},
        close_codes={"end": draw(st.sampled_from([[1000], [1000, 1012]]))},
    )


@st.composite
def servers(draw, **fixed):
    """Slow ones, with few places."""
    return ServerConfig(
        workers=draw(st.integers(1, 3)),
        backlog=draw(st.sampled_from([0, 1, 2, 5, 33, 400])),
        service_time=draw(
            st.sampled_from(
                [
                    ServiceTime(kind="constant", mean=0.1),
                    ServiceTime(kind="exponential", mean=0.2),
                    ServiceTime(mean=0.05),
                ]
            )
        ),
        overflow=draw(st.sampled_from(["reject", "reset"])),
        retry_after=draw(st.sampled_from([None, 0.5, 2.0])),
        **fixed,
    )


@st.composite
def outages(draw, kinds, **fixed):
    """One after the other."""
    found, at = [], 0.0
    for _ in range(draw(st.integers(1, 3))):
        at += draw(coarse)
        down_for = draw(coarse)
        found.append(
            Outage(kind=draw(st.sampled_from(kinds)), starts_at=at, down_for=down_for, **fixed)
        )
        at += down_for + draw(st.sampled_from([0.0, 0.1, 1.0]))
    return tuple(found)


@st.composite
def storms(draw):
    """What the arrays can express."""
    halves = [("a", 0.5), ("b", 0.5)] if draw(st.booleans()) else [("all", 1.0)]
    horizon = draw(st.sampled_from([6.0, 12.0]))
    found = draw(outages(["graceful", "crash"]))
    return Scenario(
        seed=draw(st.integers(0, 2**32)),
        n_clients=draw(st.integers(1, 40)),
        horizon=horizon,
        grace=draw(st.sampled_from([0.0, 1.0])),
        ramp_rate=100.0,
        server=draw(servers()),
        outage=tuple(outage for outage in found if outage.starts_at < horizon),
        cohort=tuple(draw(cohorts(name, share)) for name, share in halves),
    )
