"""The model against the virtual engine: arithmetic against client and server themselves.

They draw the same numbers for the same purposes, so where no two things happen at one instant they
must agree on every single attempt: how it ended, and when.
"""

import pytest

from simulator.experiment import run
from simulator.metrics import summarise
from simulator.scenario_files import load_scenario

_FIGURES = (
    "n_attempts",
    "peak_attempt_rate_100ms",
    "peak_arrival_rate_up_1s",
    "reconnect_time_p50",
    "reconnect_time_p99",
    "time_to_recovery_p95",
    "wasted_share",
    "peak_backlog",
)
_ROUNDING = 1e-5
"""Seconds: virtual instants are sums of floating-point numbers, the model's are nanoseconds."""
_SMALL = ("n_clients=120", "server.workers=1", "server.service_time.mean=0.1", "settle=1000")

_SCENARIOS = {
    "a restart": ("restart",),
    "a crash under nearly naive retries": (
        "crash",
        "client.policy={growth='constant', base=1.0, jitter='additive', spread=0.05}",
    ),
    "a crash under decorrelated jitter": ("crash", "client.policy=exponential-decorrelated-jitter"),
    "retries with hardly a delay, which give up": (
        "crash",
        "client.policy={growth='constant', base=0.0, jitter='additive', spread=0.01, "
        "max_attempts=150}",
    ),
    "a silent freeze": ("silent-freeze",),
    "a silent freeze that loses everybody": ("silent-freeze", "outage.lost_at_thaw=true"),
    "three outages": ("flapping",),
    "whoever is served when it goes down again": (
        # One, so that no two are asked to come back at the same instant.
        *("restart", "server.retry_after=1", "server.backlog=0", "client.connect_timeout=9"),
        "server.service_time={kind='constant', mean=3.5}",
        "outage=[{starts_at=1.0, down_for=1.0}, {starts_at=5.0, down_for=1.0}]",
        "client.policy={growth='constant', base=0.2, jitter='full'}",
    ),
    "a network outage": ("wifi-drop", "cohort.network_monitor=none"),
    "a full backlog": ("restart", "server.backlog=3", "server.retry_after=2"),
    "a full backlog that resets": ("restart", "server.backlog=3", "server.overflow=reset"),
    "a full backlog that drops": ("restart", "server.backlog=3", "server.overflow=drop"),
    "a short kernel queue": ("restart", "server.listen_backlog=20", "outage.refuse=false"),
    "the abandoned are skipped": ("restart", "server.abandoned=skip", "client.connect_timeout=2"),
    "attempts that outlast the timeout": (
        *("restart", "outage.refuse=false", "server.listen_backlog=20"),
        *("client.connect_timeout=0.5", "client.policy=grpc-go"),
    ),
    "attempts that outlast the timeout in a queue": (
        *("restart", "server.service_time.mean=0.1", "client.connect_timeout=0.3"),
        *("client.policy=grpc-go", "client.policy.base=2"),
    ),
    "few connections allowed": ("restart", "server.max_connections=90"),
    "closed for good": ("restart", "client.close_codes.end=[1012]"),
    "turned away for good": ("restart", "client.statuses.end=[503]", "server.backlog=5"),
    "the last come first": ("restart", "server.order=lifo", "client.connect_timeout=2"),
    "a brownout": (
        "restart",
        "outage=[{kind='crash', starts_at=1.0, down_for=2.0}, "
        "{kind='slow', starts_at=4.0, down_for=3.0, slow_factor=3.0}]",
    ),
    "a restart into cold caches": (
        "restart",
        "outage=[{kind='cold', starts_at=1.0, down_for=3.0, slow_factor=4.0, cold_for=8.0}]",
    ),
    "a crash into cold caches": (
        "crash",
        "outage=[{kind='crash', starts_at=1.0, down_for=3.0, slow_factor=4.0, cold_for=8.0}]",
    ),
    "a drain": ("restart", "outage=[{kind='drain', starts_at=1.0, down_for=5.0, drain_over=4.0}]"),
    "a token bucket": (
        "restart",
        "server.admission={kind='token_bucket', rate=7.0, burst=3}",
        "client.policy={growth='constant', base=0.5, jitter='full'}",
    ),
    "a limit on the queue": (
        *("restart", "server.admission={kind='queue', limit=4}"),
        "client.policy={growth='constant', base=0.5, jitter='full'}",
    ),
    "a window after the restart": ("restart", "server.reconnect_window=9.0"),
    "three nodes by turns": ("restart", "server.nodes=3"),
    "three nodes by hash": ("crash", "server.nodes=3", "server.balance=hash"),
    "one node of three": (
        "crash",
        "server.nodes=3",
        "server.balance=random",
        "outage.nodes=[1]",
        "client.policy={growth='constant', base=0.5, jitter='full'}",
    ),
    "two nodes of three, found out late": (
        "crash",
        "server.nodes=3",
        "outage.nodes=[0, 2]",
        "client.policy={growth='constant', base=2.0, jitter='full'}",
    ),
    "a service behind three nodes": (
        "restart",
        "server.nodes=3",
        "server.stages=[{name='tls', workers=1, service_time={mean=0.02}, share=0.5}, "
        "{name='auth', shared=true, workers=1, service_time={mean=0.08}, backlog=12}]",
        "client.connect_timeout=1.0",
        "server.retry_after=1",
    ),
    "a stage that takes too long": (
        "crash",
        "server.service_time.mean=0.02",
        "server.stages=[{name='auth', workers=1, service_time={mean=0.08}, timeout=1.0}]",
        "client.connect_timeout=1.5",
    ),
}


@pytest.mark.parametrize("name", _SCENARIOS)
def test_they_agree_on_every_attempt(tmp_path, name):
    """Outcome by outcome, and instant by instant."""
    builtin, *changes = _SCENARIOS[name]
    scenario = load_scenario(builtin, changes=[*_SMALL, *changes])
    results = {
        engine: run(scenario, engine=engine, out=tmp_path / engine)
        for engine in ("virtual", "model")
    }
    summaries = [summarise(result) for result in results.values()]
    for figure in _FIGURES:
        print(figure, *(summary[figure] for summary in summaries))
    # A run that has collapsed ends early; the model goes on to the horizon.
    until = results["virtual"].manifest.observed_until
    virtual, model = (_attempts(result, until) for result in results.values())
    assert model.keys() == virtual.keys()
    for attempt, (how, ended_at) in virtual.items():
        assert model[attempt] == (how, pytest.approx(ended_at, abs=_ROUNDING)), attempt
    losses = [_losses(result, until) for result in results.values()]
    assert losses[1] == pytest.approx(losses[0], abs=_ROUNDING)


def _attempts(result, until):
    """Outcome, node and end by client, episode and attempt; of those over, but in the ramp."""
    table = result.to_pandas()
    table = table[(table["episode"] > 0) & (table["ended_at"] < until)]
    keys = zip(table["client"], table["episode"], table["attempt"], strict=True)
    how = zip(table["outcome"], table["node"], strict=True)
    return dict(zip(keys, zip(how, table["ended_at"], strict=True), strict=True))


def _losses(result, until):
    """When each client noticed each of its losses."""
    table = result.to_pandas("disconnects")
    table = table[table["noticed_at"] < until]
    keys = zip(table["client"], table["episode"], strict=True)
    return dict(zip(keys, table["noticed_at"], strict=True))
