"""A stub node, peers made by hand that note what they meet and when, and networks of both kinds."""

import pytest
import trio
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.handshake import H11Handshake

from server_stub.config import ServerConfig, ServiceTime
from server_stub.outage import Outage, unfold
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from server_stub.streams import SocketPort
from server_stub.wire import Identity
from server_stub.work import Load
from simulator.engines.live.sockets import dialler
from simulator.network import MemoryPort


def _now():
    return round(trio.current_time(), 9)


class Peer:
    """One attempt and what became of it."""

    def __init__(
        self,
        dial,
        target,
        *,
        request=bytes,
        listens=True,
        answers_close=True,
        subprotocols=(),
        address=None,
    ):
        self.answer = None
        """What it met and when: (101, 1.0), (503, 1.0), ("refused", 1.0), "reset", "eof" ..."""
        self.headers = {}
        self.subprotocol = None
        self.heard = []
        """What the server said on the open connection, each with its instant."""
        self.loss = None
        """How the connection ended and when: (1012, 2.0), ("reset", 2.0), ("eof", 2.0)."""
        self.reason = None
        """What the server's close frame gave as its reason."""
        self._dial = dial
        self._target = target
        self._headers = [] if address is None else [(b"X-Forwarded-For", address.encode())]
        self._request = request
        self._listens = listens
        self._subprotocols = list(subprotocols)
        self._answers_close = answers_close
        self.request = None
        """The upgrade request; what is sent is what the option `request` makes of it."""
        self.stream = None
        self._connection = None

    async def run(self):
        """Dial, ask, listen to the end."""
        try:
            self.stream = await self._dial()
            await self._knock()
            if self._listens:
                await self._listen()
        except ConnectionRefusedError:
            self._ends("refused")
        except TimeoutError:
            self._ends("unreachable")
        except (ConnectionResetError, BrokenPipeError):
            self._ends("reset")
        except trio.ClosedResourceError:
            pass  # It has left by itself.

    async def _knock(self):
        handshake = H11Handshake(ConnectionType.CLIENT)
        self.request = handshake.send(
            Request(
                host="stub",
                target=self._target,
                subprotocols=self._subprotocols,
                extra_headers=self._headers,
            )
        )
        await self.stream.send_all(self._request(self.request))
        while self.answer is None:
            data = await self.stream.receive_some()
            if not data:
                self._ends("eof")
                return
            handshake.receive_data(data)
            for event in handshake.events():
                if isinstance(event, RejectConnection):
                    self.headers = dict(event.headers)
                    self.answer = (event.status_code, _now())
                elif isinstance(event, AcceptConnection):
                    self.answer = (101, _now())
                    self.subprotocol = event.subprotocol
                    self._connection = handshake.connection

    async def _listen(self):
        while self._connection is not None:
            for event in self._connection.events():
                match event:
                    case TextMessage() | BytesMessage():
                        self.heard.append((event.data, _now()))
                    case Pong():
                        self.heard.append(("pong frame", _now()))
                    case CloseConnection(code=code, reason=reason):
                        self._ends(code)
                        self.reason = reason
                        if not self._answers_close:
                            return
                        if self._connection.state is ConnectionState.REMOTE_CLOSING:
                            await self.says(event.response())
            data = await self.stream.receive_some()
            if not data:
                self._ends("eof")
                return
            self._connection.receive_data(data)

    def _ends(self, how):
        if self.answer is None:
            self.answer = (how, _now())
        elif self.loss is None:
            self.loss = (how, _now())

    async def says(self, event):
        """Send a WebSocket event, or bytes as they are."""
        await self.stream.send_all(
            event if isinstance(event, bytes) else self._connection.send(event)
        )

    async def says_text(self, text):
        """Send a text."""
        await self.says(TextMessage(data=text))

    async def pings(self):
        """Send a ping frame."""
        await self.says(Ping())

    def leaves(self):
        """Close the connection without a word."""
        self.stream.close()

    def breaks(self):
        """Reset the connection."""
        self.stream.reset()


class Node:
    """A server that listens from t = 0; one worker and one second of service unless told."""

    def __init__(self, nursery, outages, seed, syn_retry_at, *, load, in_front, **config):
        config = {"workers": 1, "service_time": constant(1.0), **config}
        self.config = ServerConfig(**config)
        self.windows = unfold(Outage(**outage) for outage in outages)
        self.port = MemoryPort(listen_backlog=self.config.listen_backlog, syn_retry_at=syn_retry_at)
        self.recorder = ServerRecorder()
        self.server = Server(
            self.config,
            port=in_front(self.port),
            seed=seed,
            recorder=self.recorder,
            load=None if load is None else Load(**load),
        )
        self.life = trio.CancelScope()
        self._nursery = nursery

    async def start(self):
        """Listen, and follow the schedule."""
        await self._nursery.start(self._live)

    async def _live(self, task_status):
        with self.life:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.server.run)
                task_status.started()
                await self.server.follow(self.windows, origin=0.0)

    async def peer(self, client=0, *, at=None, episode=1, attempt=1, target=None, **options):
        """Let a peer knock, at the given instant."""
        if at is not None:
            await trio.sleep_until(at)
        target = Identity(client, episode, attempt).path if target is None else target
        peer = Peer(self.port.dial, target, **options)
        self._nursery.start_soon(peer.run)
        await trio.testing.wait_all_tasks_blocked()
        return peer

    async def connected(self, client=0, **options):
        """A peer that is connected at once, as part of the ramp."""
        peer = await self.peer(client, episode=0, **options)
        assert peer.answer[0] == 101
        return peer

    def rows(self, table):
        """What was recorded in a table, row by row."""
        columns = getattr(self.recorder, table).columns()
        return [
            tuple(row)
            for row in zip(*(values.tolist() for values in columns.values()), strict=True)
        ]

    def stage(self, number):
        """What the `stages` table says of a stage: its counts added up, its highest levels."""
        self.recorder.close(trio.current_time())
        columns = self.recorder.stages.columns()
        of_it = {name: values[columns["stage"] == number] for name, values in columns.items()}
        return {
            name: values.max(initial=0) if name in ("backlog", "busy_workers") else values.sum()
            for name, values in of_it.items()
        }

    def level(self, name, at):
        """The most that the `server` table shows in the interval that holds an instant."""
        columns = self.recorder.server.columns()
        return columns[name][columns["at"] <= at + 1e-6][-1]


def constant(seconds):
    """A service time that never varies."""
    return ServiceTime(kind="constant", mean=seconds)


@pytest.fixture
def node(nursery):
    """A call that starts one, given fields of its configuration; needs `autojump_clock`."""

    async def start(
        *,
        outages=(),
        seed=1,
        syn_retry_at=(1.0, 2.0, 3.0),
        load=None,
        in_front=lambda port: port,
        **config,
    ):
        started = Node(nursery, outages, seed, syn_retry_at, load=load, in_front=in_front, **config)
        await started.start()
        return started

    return start


class Kernel:
    """Real sockets on the loopback interface."""

    def __init__(self, listen_backlog):
        self.port = SocketPort("127.0.0.1", 0, listen_backlog=listen_backlog)
        self.dial = dialler(self.port.address, None)


class Memory:
    """The network in memory; it sends a SYN again sooner than a kernel would."""

    def __init__(self, listen_backlog):
        self.port = MemoryPort(listen_backlog=listen_backlog, syn_retry_at=(0.3, 0.6, 0.9))
        self.dial = self.port.dial


@pytest.fixture(params=[Kernel, Memory], ids=["kernel", "memory"])
async def network(request):
    """A port that is reserved, and the way to dial it."""
    made = request.param(listen_backlog=5)
    yield made
    made.port.close()


@pytest.fixture
async def kernel():
    """A real port."""
    made = Kernel(listen_backlog=5)
    yield made
    made.port.close()
