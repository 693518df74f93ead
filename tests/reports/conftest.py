"""A herd in lockstep, written down as a result."""

import numpy as np
import pytest

from server_stub.config import ServerConfig, ServiceTime
from server_stub.doorkeeper import Reason
from server_stub.outage import Outage, OutageKind, needs
from server_stub.tables import OUTAGES, SERVER, SERVICES, turned_away_by
from simulator.core.backoff import BASIC
from simulator.core.outcomes import Cause, NoticedBy, Outcome
from simulator.results import (
    ATTEMPTS,
    CLIENTS,
    DISCONNECTS,
    Manifest,
    RunResult,
    Thresholds,
    as_table,
)
from simulator.scenario import ClientConfig, Cohort, Scenario

DOWN_AT, UP_AT = 2.0, 4.0


def lockstep(
    *,
    n_clients=20,
    n_back=20,
    policy="fixed",
    horizon=10.0,
    outage=True,
    kind="graceful",
    server=True,
    turned_away=None,
    cohorts=(),
    n_lost=None,
    manifest=None,
    nodes=1,
):
    """All lose their connection at 2 s; all are refused at 3 s; at 5 s they try again.

    Or only the last `n_lost` of them do. The first `n_back` of them get through, one every 50 ms;
    the others time out at 7 s. Of their arrivals at 5 s the server turns so many away, by reason;
    none unless told otherwise. Cohorts are equal, and go by the number of the client. Clients are
    dealt to nodes by their number, and shifted by one when they come back.
    """
    client = np.arange(n_clients)
    lost = client[n_clients - (n_clients if n_lost is None else n_lost) :] if outage else client[:0]
    n_lost = lost.size
    cohort = client * max(1, len(cohorts)) // n_clients
    back = lost < n_back
    attempts = {
        "client": [*client, *lost, *lost],
        "episode": np.repeat([0, 1, 1], [n_clients, n_lost, n_lost]),
        "outage": np.repeat([-1, 0, 0], [n_clients, n_lost, n_lost]),
        "attempt": np.repeat([1, 1, 2], [n_clients, n_lost, n_lost]),
        "started_at": np.repeat([-1.0, 3.0, 5.0], [n_clients, n_lost, n_lost]),
        "ended_at": [*(0 * client - 0.5), *(0 * lost + 3.1), *np.where(back, 5.05 + lost / 20, 7)],
        "outcome": [
            *np.full(n_clients, Outcome.CONNECTED),
            *np.full(n_lost, Outcome.REFUSED),
            *np.where(back, Outcome.CONNECTED, Outcome.TIMED_OUT),
        ],
    }
    attempts["due_at"] = attempts["started_at"]
    attempts["node"] = [*client % nodes, *lost % nodes, *(lost + 1) % nodes]
    disconnects = {
        "client": lost,
        "episode": 0 * lost + 1,
        "broke_at": 0 * lost + DOWN_AT,
        "noticed_at": 0 * lost + DOWN_AT,
        "cause": np.full(n_lost, Cause.GRACEFUL),
        "noticed_by": np.full(n_lost, NoticedBy.CLOSE_FRAME),
        "close_code": np.full(n_lost, 1012),
        "node": lost % nodes,
    }
    code = list(OutageKind).index(OutageKind(kind))
    outages = {"kind": [code], "starts_at": [DOWN_AT], "ends_at": [UP_AT]} if outage else {}
    at = np.arange(0.0, horizon, 0.01) if server else np.empty(0)
    arrivals = np.where(np.isclose(at, 5.0), n_lost, 0)
    return RunResult(
        manifest=_manifest(horizon, **(manifest or {})),
        scenario=Scenario(
            name="lockstep",
            n_clients=n_clients,
            horizon=horizon,
            server=ServerConfig(
                nodes=nodes, workers=2, service_time=ServiceTime(kind="constant", mean=0.2)
            ),
            client=ClientConfig(policy=BASIC[policy]),
            cohort=tuple(
                Cohort(name=name, share=1 / len(cohorts), policy=BASIC[policy]) for name in cohorts
            ),
            outage=(
                Outage(
                    kind=kind,
                    starts_at=DOWN_AT,
                    down_for=UP_AT - DOWN_AT,
                    **dict.fromkeys(needs(OutageKind(kind)), 2.0),
                ),
            )
            if outage
            else (),
        ),
        attempts=_table(ATTEMPTS, attempts),
        disconnects=_table(DISCONNECTS, disconnects),
        clients=_table(
            CLIENTS,
            {"client": client, "cohort": cohort, "gave_up_at": np.full(n_clients, np.nan)},
        ),
        outages=_table(OUTAGES, outages),
        server=_table(SERVER, {"at": at, "arrivals": arrivals, **_met(at, n_lost, turned_away)}),
        services=SERVICES.empty(),
    )


def _met(at, n_arrivals, turned_away):
    """What the arrivals at 5 s met."""
    counts = {turned_away_by(Reason(name)): count for name, count in (turned_away or {}).items()}
    counts["admitted"] = n_arrivals - sum(counts.values())
    return {name: np.where(np.isclose(at, 5.0), count, 0) for name, count in counts.items()}


def _manifest(horizon, **fields):
    return Manifest(
        **{
            "herd_version": "0",
            "engine": "virtual",
            "scenario": "lockstep",
            "seed": 1,
            "transport": "wsproto",
            "created_at": "2026-01-01T00:00:00+00:00",
            "verdict_thresholds": Thresholds(ok=0.1, strained=0.3),
            "origin": 0.0,
            "observed_until": horizon,
            **fields,
        }
    )


def _table(schema, columns):
    """The columns given, and zeros in the others."""
    n_rows = len(next(iter(columns.values()), ()))
    return as_table(
        schema,
        {
            column.name: np.asarray(columns.get(column.name, np.zeros(n_rows)))
            for column in schema.columns
        },
    )


@pytest.fixture(name="lockstep", scope="session")
def _lockstep():
    """Write a herd down: `lockstep(n_back=3, policy="fixed")`."""
    return lockstep


@pytest.fixture
def pair():
    """A herd that comes back, and one of which three quarters do not, seen for shorter."""
    return {
        "exponential": lockstep(policy="exponential"),
        "fixed": lockstep(n_back=5, manifest={"observed_until": 8.0}),
    }
