"""Rules that are no client of their own: published ones, retry libraries, and herd's origin."""

from simulator.core.backoff import Policy
from simulator.core.presets.preset import preset

_AWS = "aws-samples/aws-arch-backoff-simulator src/backoff_simulator.py 22-56"

REFERENCES = (
    preset(
        "aws-full",
        library="AWS backoff simulator, full jitter",
        version="095a0760",
        licence="Apache-2.0",
        source=_AWS,
        rule="Anything up to 10 ms, doubling, up to 2 s.",
        storm="Safe once it has grown; its 10 ms are meant for calls to a database, not for a "
        "herd.",
        policy=Policy(base=0.01, cap=2.0, jitter="full", reset_after=None),
    ),
    preset(
        "aws-equal",
        library="AWS backoff simulator, equal jitter",
        version="095a0760",
        licence="Apache-2.0",
        source=_AWS,
        rule="Half of 10 ms and anything up to the other half, doubling, up to 2 s.",
        storm="Safe once it has grown, though spread over half as long as with full jitter.",
        policy=Policy(base=0.01, cap=2.0, jitter="equal", reset_after=None),
    ),
    preset(
        "aws-decorrelated",
        library="AWS backoff simulator, decorrelated jitter",
        version="095a0760",
        licence="Apache-2.0",
        source=_AWS,
        rule="Anything from 5 ms to three times the last delay, cut off at 2 s.",
        storm="Two clients in three are held at the cap in the end, and retry together each 2 s.",
        policy=Policy(
            base=0.005,
            cap=2.0,
            jitter="decorrelated",
            cap_after_jitter=True,
            reset_after=None,
        ),
    ),
    preset(
        "seed",
        library="the reconnection manager that herd grew from",
        version="1",
        licence="-",
        source="its method calculateDelay",
        rule="1 s, doubling, up to 30 s, 30 % more or less. Starts over on every open socket.",
        storm="Fair: waves for the first three attempts, then they run into one another.",
        policy=Policy(
            base=1.0, factor=2.0, cap=30.0, jitter="proportional", spread=0.3, reset_after=None
        ),
    ),
    preset(
        "tenacity",
        library="tenacity, wait_random_exponential()",
        version="9.2.1",
        licence="Apache-2.0",
        source="tenacity/wait.py 201-327",
        rule="Anything up to 1 s, doubling, without a cap.",
        storm="Safe; but after ten failures a delay is minutes long, after sixteen, hours.",
        policy=Policy(base=1.0, jitter="full", reset_after=None),
    ),
    preset(
        "stamina",
        library="stamina",
        version="26.1.0",
        licence="MIT",
        source="stamina/_core.py 481-489, 645-664, 712-739",
        rule="0.1 s, doubling, plus anything up to 1 s, the sum cut off at 5 s. Ten attempts in "
        "all (or 45 s, which come first only if calls are slow; left out).",
        storm="Spread over 1 s for six retries, then cut off: exactly 5 s for everybody.",
        policy=Policy(
            base=0.1,
            cap=5.0,
            jitter="additive",
            spread=1.0,
            cap_after_jitter=True,
            max_attempts=9,
            reset_after=None,
        ),
    ),
    preset(
        "resilience4j",
        library="Resilience4j, IntervalFunction.ofExponentialRandomBackoff()",
        version="010b8d2b",
        licence="Apache-2.0",
        source="resilience4j-core, IntervalFunction.java",
        rule="0.5 s, 1.5 times as long each time, without a cap, 50 % more or less.",
        storm="Fair: jitter grows with the delay; the first wave is 0.5 s wide.",
        policy=Policy(base=0.5, factor=1.5, jitter="proportional", spread=0.5, reset_after=None),
    ),
    preset(
        "finagle",
        library="Finagle, FailureAccrual's equalJittered(5 s, 300 s)",
        version="04cbbecf",
        licence="Apache-2.0",
        source="finagle-core, Backoff.scala",
        rule="5 s; then 5 s and anything up to as much again, doubling; once that is 300 s or "
        "more, exactly 300 s.",
        storm="One wave at 5 s; spread while it grows; no jitter at the cap.",
        policy=Policy(
            waits=(5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 300.0),
            jitter="equal",
            jitter_from=2,
            jitter_until=7,
            reset_after=None,
        ),
    ),
)
