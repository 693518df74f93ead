"""A run written down in a few lines, and a server that is not herd's."""

import signal
import socket
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from server_stub.config import ServerConfig, ServiceTime
from server_stub.doorkeeper import Reason
from server_stub.history import HistoryConfig
from server_stub.outage import OutageKind, needs
from server_stub.tables import SERVER, turned_away_by
from simulator.assembly import assemble
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.raw_tables import RAW_ACCOUNTS, RAW_TABLES, RawTables
from simulator.results import Manifest, RunResult, Thresholds, as_table
from simulator.scenario import ClientConfig, Cohort, Outage, Scenario

_ANY = {"drain_over": 0.5, "slow_factor": 2.0, "cold_for": 1.0, "idle_for": 1.0}


class Herd:
    """Clients that were connected at t = -1 and what happened to them; instants in seconds."""

    def __init__(
        self,
        n_clients=1,
        *,
        horizon=100.0,
        capacity=10,
        shares=None,
        origin=0.0,
        event_rate=None,
        nodes=1,
        deploy=(),
        max_connection_age=None,
        **behaviour,
    ):
        self.origin = origin
        self.cohort_of = np.zeros(n_clients, dtype=np.uint16)
        self.fields = {
            "n_clients": n_clients,
            "horizon": horizon,
            "deploy": deploy,
            "server": ServerConfig(
                nodes=nodes,
                max_connection_age=max_connection_age,
                workers=capacity,
                service_time=ServiceTime(kind="constant", mean=1.0),
                history=HistoryConfig(rate=event_rate),
            ),
            "client": ClientConfig(**behaviour),
            "cohort": tuple(
                Cohort(name=name, share=share, **behaviour)
                for name, share in (shares or {}).items()
            ),
        }
        self.rows = defaultdict(list)
        self.schedule = []
        self.episode = [0] * n_clients
        self.node = [0] * n_clients
        self.manifest = {}
        for client in range(n_clients):
            self.tries(client, -1.0, node=client % nodes)

    def outage(self, starts_at, ends_at, *, kind="graceful", recorded=True, **settings):
        """The next outage; what its kind needs is there."""
        needed = {field: _ANY[field] for field in needs(kind) if field not in settings}
        duration = ends_at - starts_at
        self.schedule.append(
            Outage(kind=kind, starts_at=starts_at, down_for=duration, **needed, **settings)
        )
        if recorded:
            code = list(OutageKind).index(OutageKind(kind))
            for node in settings.get("nodes", range(self.fields["server"].nodes)):
                self.rows["outages"].append(
                    (len(self.schedule) - 1, code, node, starts_at, ends_at)
                )
        return self

    def breaks(self, client, broke_at, *, outage=None):
        """A connection breaks, in the latest outage unless told otherwise; nobody notices."""
        outage = len(self.schedule) - 1 if outage is None else outage
        self.rows["losses"].append(
            (client, self.episode[client], outage, self.node[client], broke_at)
        )
        return self

    def notices(self, client, noticed_at, by=NoticedBy.CLOSE_FRAME):
        """A client notices that its connection is lost."""
        self.episode[client] += 1
        row = (client, self.episode[client], noticed_at, by, 1012)
        self.rows["disconnects"].append(row)
        return self

    def loses(self, client, broke_at, *, noticed_at=None, outage=None, recorded=True):
        """A connection breaks, and the client notices: at once unless told otherwise."""
        if recorded:
            self.breaks(client, broke_at, outage=outage)
        return self.notices(client, broke_at if noticed_at is None else noticed_at)

    def tries(
        self,
        client,
        ended_at,
        outcome=Outcome.CONNECTED,
        *,
        started_at=None,
        due_at=None,
        node=0,
    ):
        """An attempt; it takes no time and is on time unless told otherwise."""
        started_at = ended_at if started_at is None else started_at
        due_at = started_at if due_at is None else due_at
        row = (client, self.episode[client], 1, node, due_at, started_at, ended_at, outcome)
        self.rows["attempts"].append(row)
        self.node[client] = node
        return self

    def gives_up(self, client, at):
        """A client stops trying."""
        self.rows["give_ups"].append((client, at))
        return self

    def interval(self, at, *, turned_away=(), **counts):
        """10 ms of the server's life: the columns named, and 0 in the others.

        Those turned away are given by reason.
        """
        names = [column.name for column in SERVER.columns]
        assert set(counts) <= set(names)
        by_reason = {turned_away_by(Reason(why)): n for why, n in dict(turned_away).items()}
        counts = {"at": at, "dropped": np.nan, **counts, **by_reason}
        self.rows["server"].append(tuple(counts.get(name, 0) for name in names))
        return self

    def service(self, at, lag):
        """A service that ended late."""
        self.rows["services"].append((at, lag))
        return self

    def publishes(self, *instants, epoch=1):
        """Events, all of one epoch."""
        self.rows["publications"] += [(at, epoch, number + 1) for number, at in enumerate(instants)]
        return self

    def account(self, client, **counts):
        """What came of a client's events and operations; 0 where nothing is said."""
        names = [column.name for column in RAW_ACCOUNTS.columns[1:]]
        assert set(counts) <= set(names)
        self.rows["accounts"].append((client, *(counts.get(name, 0) for name in names)))
        return self

    def applied(self, client, n_applied, n_reapplied=0):
        """What the server did for a client."""
        self.rows["tallies"].append((client, n_applied, n_reapplied))
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


class ForeignServer:
    """The process of `websockets_server.py`, through all its restarts."""

    def __init__(self, host="127.0.0.1", certificate=None):
        self.host = host
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
            self.port = probe.getsockname()[1]
        self.certificate = certificate
        self.process = None

    @property
    def command(self):
        """How it is started."""
        script = str(Path(__file__).with_name("websockets_server.py"))
        certificate = [] if self.certificate is None else [str(self.certificate)]
        return [sys.executable, script, self.host, str(self.port), *certificate]

    @property
    def url(self):
        """Where a herd finds it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws{'s' * bool(self.certificate)}://{host}:{self.port}/chat?room=1"

    def start(self):
        """Start it, and wait until it listens."""
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdout.readline() == b"listening\n"

    def tell(self, number):
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self, number=signal.SIGKILL):
        """End it, and wait until it has ended; one that does not run is no matter."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            self.process.stdout.close()
            self.process = None


@pytest.fixture
def foreign_server():
    """Servers that are not herd's: `foreign_server(host, certificate).start()`."""
    servers = []

    def make(*arguments):
        servers.append(ForeignServer(*arguments))
        return servers[-1]

    yield make
    for server in servers:
        server.end()


@pytest.fixture
def recovered(herd):
    """A run of 3 clients that were all back a second after the outage."""
    run = herd(3, horizon=30.0).outage(1.0, 2.0)
    for client in range(3):
        run.loses(client, 1.0).tries(client, 3.0)
    for at in range(30):
        run.interval(float(at), arrivals=1, completed=1)
    return run.result()
