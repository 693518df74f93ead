"""One client at a time, against the stub or against peers played by hand, on a virtual clock."""

import pytest
import trio
from wsproto.events import CloseConnection, Ping, TextMessage

from server_stub.backend import Backend
from server_stub.cluster import Cluster
from server_stub.config import ServerConfig, ServiceTime
from server_stub.draws import uniform
from server_stub.handshake import Handshake
from server_stub.messages import decode, encode
from server_stub.outage import Outage
from server_stub.plan import plan
from server_stub.recorder import ServerRecorder
from simulator.client import Client
from simulator.core.backoff import BASIC
from simulator.core.events import StatusChanged, TextReceived, Updated
from simulator.core.lifecycle import AttemptEnded
from simulator.core.outbox import Outbox, keys_within
from simulator.network import MemoryPort
from simulator.paths import Path
from simulator.probe import health_probe
from simulator.scenario import ClientConfig
from simulator.storage import MemoryStorage
from simulator.transport import TRANSPORTS

RTT = 0.02
SEED = 5


class Life:
    """A client, and what it announces until it ends."""

    def __init__(self, client, events, storage):
        self.client = client
        self.events = events
        self.storage = storage
        self.scope = trio.CancelScope()
        self.ended_at = None
        self.error = None
        """What `run` has raised."""

    async def live(self):
        """Run the client until it ends by itself, is closed or cancelled."""
        try:
            with self.scope:
                await self.client.run()
        except Exception as error:
            self.error = error
        self.ended_at = trio.current_time()

    def of(self, kind):
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def statuses(self):
        """What a user was shown, in order."""
        return [str(event.status) for event in self.of(StatusChanged)]

    @property
    def texts(self):
        """What the peer said, in order."""
        return [event.text for event in self.of(TextReceived)]

    @property
    def updates(self):
        """What was to be done about events: the state taken over, then the ids applied."""
        return [(event.update.refreshed, list(event.update.applied)) for event in self.of(Updated)]

    @property
    def ids(self):
        """The ids of all events applied, in order."""
        return [number for _, applied in self.updates for number in applied]

    @property
    def attempts(self):
        """Start, end and outcome of every attempt."""
        return [
            (pytest.approx(event.started_at), pytest.approx(event.ended_at), event.outcome)
            for event in self.of(AttemptEnded)
        ]


class World:
    """A port, a path to it that can be cut, and the clients that come along it."""

    def __init__(self, nursery, transport, port):
        self.port = port
        self.path = Path()
        self.dial = self.path.over(port.dial)
        self.transport = TRANSPORTS[transport](self.dial, "herd.test")
        self._nursery = nursery

    def client(self, number=0, *, runs=True, **settings):
        """Bring a client to life, due at t = 0 and one second after every failure unless told."""
        events = []
        listeners = settings.pop("listeners", ())
        options = {
            name: settings.pop(name)
            for name in ("may_dial", "first_due_at", "hold", "path_of")
            if name in settings
        }
        config = ClientConfig(
            **{"policy": BASIC["fixed"], "connect_timeout": 2.0, "rtt": RTT, "heartbeat": None}
            | settings
        )
        storage = MemoryStorage()
        client = Client(
            number,
            config,
            self.transport,
            seed=SEED,
            listeners=[*listeners, events.append],
            outbox=None
            if config.operation_rate is None
            else Outbox(number, storage, keys_within("test")),
            probe=None
            if config.network_monitor is None or config.network_monitor.interval is None
            else health_probe(self.dial, "herd.test"),
            **{"first_due_at": 0.0, **options},
        )
        life = Life(client, events, storage)
        if runs:
            self.run(life)
        return life

    def run(self, life):
        """Let a client live."""
        self._nursery.start_soon(life.live)


class Stub(World):
    """The stub server: one worker, half a second of service; t = 0 on Trio's clock."""

    def __init__(self, nursery, transport, outages, server):
        service_time = ServiceTime(kind="constant", mean=0.5)
        config = ServerConfig(**{"workers": 1, "service_time": service_time, **server})
        super().__init__(nursery, transport, MemoryPort(listen_backlog=config.listen_backlog))
        self.recorder = ServerRecorder()
        self.backend = Witness(config.history, config.ledger)
        self._cluster = Cluster(
            config,
            plan(1, [Outage(**outage) for outage in outages]),
            ports=[self.port],
            seed=SEED,
            recorders=[self.recorder],
            backend=self.backend,
        )
        (self.server,) = self._cluster.nodes

    async def start(self):
        """Let the server listen and follow its schedule."""
        await self._nursery.start(self._cluster.run)

        async def follow():
            await self._cluster.follow(origin=0.0)
            await trio.sleep_forever()

        self._nursery.start_soon(follow)


class Witness(Backend):
    """What stands behind the stub, with a list of what was applied and of what was asked."""

    def __init__(self, *configs):
        super().__init__(*configs)
        self.applied = []
        """The keys of operations, in order, duplicates and rejected ones left out."""
        self.answers = []
        self.syncs = []

    def catch_up(self, sync, now):
        """Tell what was missed."""
        answer = super().catch_up(sync, now)
        self.syncs.append((sync, answer))
        return answer

    def apply(self, client, operation):
        """Apply an operation."""
        answer = super().apply(client, operation)
        self.answers.append(answer)
        if not getattr(answer, "duplicate", True):
            self.applied.append(operation.key)
        return answer


class Peer:
    """The server's end of one connection, played by hand."""

    def __init__(self, stream):
        self.stream = stream
        self._handshake = None
        self._protocol = None
        self._text = ""

    async def open(self):
        """Answer the upgrade request with 101."""
        self._handshake = await Handshake.read(self.stream)
        self._protocol = await self._handshake.accept()

    async def reject(self, status, **headers):
        """Answer the upgrade request with another status."""
        self._handshake = await Handshake.read(self.stream)
        names = {name: name.replace("_", "-").encode() for name in headers}
        await self._handshake.reject(
            status, [(names[name], value.encode()) for name, value in headers.items()]
        )

    async def hear(self):
        """The client's next text or close frame; the code of the latter. None when it has left."""
        while True:
            for event in self._protocol.events():
                match event:
                    case TextMessage():
                        self._text += event.data
                        if event.message_finished:
                            text, self._text = self._text, ""
                            return text
                    case CloseConnection(code=code):
                        return int(code)
                    case Ping():
                        await self.stream.send_all(self._protocol.send(event.response()))
            data = await self.stream.receive_some()
            if not data:
                return None
            self._protocol.receive_data(data)

    async def hear_message(self):
        """The client's next text, as a message."""
        return decode(await self.hear())

    async def say(self, what):
        """Send a text or a message."""
        text = what if isinstance(what, str) else encode(what)
        await self.stream.send_all(self._protocol.send(TextMessage(data=text)))

    async def close(self, code, reason=""):
        """Send a close frame and leave."""
        frame = CloseConnection(code=code, reason=reason or None)
        await self.stream.send_all(self._protocol.send(frame))
        self.stream.close()


async def _accept(port, scripts):
    async with trio.open_nursery() as nursery:
        for script in scripts:
            peer = Peer(await port.accept())
            nursery.start_soon(script, peer)
        await trio.sleep_forever()


@pytest.fixture(params=sorted(TRANSPORTS))
def stub(request, nursery):
    """Starts the stub with the given outages and settings; needs `autojump_clock`."""

    async def start(*outages, **server):
        world = Stub(nursery, request.param, outages, server)
        await world.start()
        return world

    return start


@pytest.fixture(params=sorted(TRANSPORTS))
def played(request, nursery):
    """Starts a world whose connections are played by the given scripts, one after the other."""

    def start(*scripts):
        world = World(nursery, request.param, MemoryPort(listen_backlog=8))
        world.port.listen()
        nursery.start_soon(_accept, world.port, scripts)
        return world

    return start


@pytest.fixture
def outage():
    """An outage that begins ten seconds after t = 0 and lasts three, unless told."""

    def describe(kind="graceful", **settings):
        return {"kind": kind, "starts_at": 10.0, "down_for": 3.0, **settings}

    return describe


@pytest.fixture
def draw():
    """The uniform draw with a key, as the client makes it."""

    def of(purpose, *key, **index):
        return uniform(SEED, purpose, *key, **index)

    return of
