"""A run written down in a few lines."""

from collections import defaultdict

import numpy as np
import pytest

from server_stub.config import ServerConfig, ServiceTime
from server_stub.outage import OutageKind
from simulator.assembly import assemble
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.raw_tables import RAW_TABLES, RawTables
from simulator.results import Manifest, RunResult, Thresholds, as_table
from simulator.scenario import Cohort, Outage, Scenario


class Herd:
    """Clients that were connected at t = -1 and what happened to them; instants in seconds."""

    def __init__(self, n_clients=1, *, horizon=100.0, capacity=10, shares=None, origin=0.0):
        self.origin = origin
        self.cohort_of = np.zeros(n_clients, dtype=np.uint16)
        self.fields = {
            "n_clients": n_clients,
            "horizon": horizon,
            "server": ServerConfig(
                workers=capacity, service_time=ServiceTime(kind="constant", mean=1.0)
            ),
            "cohort": tuple(
                Cohort(name=name, share=share) for name, share in (shares or {}).items()
            ),
        }
        self.rows = defaultdict(list)
        self.schedule = []
        self.episode = [0] * n_clients
        self.manifest = {}
        for client in range(n_clients):
            self.tries(client, -1.0)

    def outage(self, starts_at, ends_at, *, kind="graceful", recorded=True):
        """The next outage."""
        self.schedule.append(Outage(kind=kind, starts_at=starts_at, down_for=ends_at - starts_at))
        if recorded:
            code = list(OutageKind).index(OutageKind(kind))
            self.rows["outages"].append((len(self.schedule) - 1, code, 0, starts_at, ends_at))
        return self

    def loses(self, client, broke_at, *, noticed_at=None, outage=None, recorded=True):
        """A connection breaks, in the latest outage unless told otherwise."""
        outage = len(self.schedule) - 1 if outage is None else outage
        noticed_at = broke_at if noticed_at is None else noticed_at
        if recorded:
            self.rows["losses"].append((client, self.episode[client], outage, broke_at))
        self.episode[client] += 1
        row = (client, self.episode[client], noticed_at, NoticedBy.CLOSE_FRAME, 1012)
        self.rows["disconnects"].append(row)
        return self

    def tries(self, client, ended_at, outcome=Outcome.CONNECTED, *, started_at=None, due_at=None):
        """An attempt; it takes no time and is on time unless told otherwise."""
        started_at = ended_at if started_at is None else started_at
        due_at = started_at if due_at is None else due_at
        row = (client, self.episode[client], 1, 0, due_at, started_at, ended_at, outcome)
        self.rows["attempts"].append(row)
        return self

    def gives_up(self, client, at):
        """A client stops trying."""
        self.rows["give_ups"].append((client, at))
        return self

    def interval(self, at, *, arrivals=0, completed=0, wasted=0, backlog=0, node=0):
        """10 ms of the server's life."""
        row = (at, node, arrivals, 0, completed, wasted, 0, np.nan, 0, backlog, 0)
        self.rows["server"].append(row)
        return self

    def service(self, at, lag):
        """A service that ended late."""
        self.rows["services"].append((at, lag))
        return self

    @property
    def scenario(self) -> Scenario:
        """What was run."""
        return Scenario(**self.fields, outage=tuple(self.schedule))

    def raw(self) -> RawTables:
        """The records on a clock that shows `origin` at t = 0."""
        return RawTables(
            **{
                name: as_table(
                    schema,
                    {
                        column.name: np.array([row[place] for row in self.rows[name]], dtype="f8")
                        + (self.origin if column.name.split("_")[-1] == "at" else 0)
                        for place, column in enumerate(schema.columns)
                    },
                )
                for name, schema in RAW_TABLES.items()
            }
        )

    def result(self, **manifest) -> RunResult:
        """The run, observed to its horizon unless the manifest says otherwise."""
        fields = {"origin": self.origin, "observed_until": self.fields["horizon"], **manifest}
        return assemble(
            self.raw(),
            manifest=Manifest(
                herd_version="0",
                engine="virtual",
                scenario="custom",
                seed=1,
                transport="wsproto",
                created_at="2026-01-01T00:00:00+00:00",
                verdict_thresholds=Thresholds(ok=0.1, strained=0.3),
                **fields,
            ),
            scenario=self.scenario,
            cohort_of=self.cohort_of,
        )


@pytest.fixture(scope="session")
def herd():
    """Begin a run: `herd(n_clients).outage(...).loses(...).tries(...).result()`."""
    return Herd
