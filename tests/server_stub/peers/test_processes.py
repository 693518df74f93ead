"""Bad peers against a server in a process of its own, over kernel sockets."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pytest

from .frames import BINARY, CONTINUATION, PING, PONG, TEXT, frame, read_frames, request

CONFIG = """
[server]
request_timeout = 1.0
workers = 8
service_time = {kind = "constant", mean = 0.001}
history = {rate = 50.0}

[server.limits]
max_unread = 100
max_unsent_bytes = 100000
message_timeout = 1.0
"""
DELAY = 1.0
"""Seconds of the server's own work, whatever else this machine does, before a good client is
served: a few turns of all the others, which take some 20 ms each."""
GROWTH = 60_000_000
"""Bytes that the server may grow by: far above what the limits allow, far below what is sent."""


@contextmanager
def stub(tmp_path, **options):
    """A running server: its process, its address and where it records."""
    (tmp_path / "stub.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "server_stub", "stub.toml", "--out", "out"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    ) as process:
        try:
            host, port = re.search(r"ws://([\d.]+):(\d+)", process.stdout.readline()).groups()
            yield process, (host, int(port)), tmp_path / "out"
        finally:
            process.kill()


def ends_well(process):
    """Does the server end when it is asked to, without a complaint?"""
    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=60)
    return (process.returncode, complaints) == (0, "")


def memory_of(process):
    """Bytes of memory that a process has in use."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def work_of(process):
    """Seconds that a process has worked."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Good:
    """A client that behaves, and says how much the server did before it got an answer."""

    def __init__(self, process, address, open_sockets):
        self._process = process
        began = work_of(process)
        self.socket = open_sockets.enter_context(socket.create_connection(address))
        self.socket.settimeout(60)
        self.socket.sendall(request("/echo"))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.socket.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101")
        self.wait = work_of(process) - began

    def ping(self):
        """Seconds of work until the pong."""
        began = work_of(self._process)
        self.socket.sendall(frame(PING, b"?"))
        assert read_frames(self.socket.recv(4096)) == [(PONG, b"?")]
        return work_of(self._process) - began


class Bad:
    """A peer that says the same again and again, as far as anybody takes it."""

    def __init__(self, address, first, again=b"", *, reads=False):
        self.socket = socket.create_connection(address)
        self.socket.setblocking(False)
        self._again = again
        self._reads = reads
        self.n_sent = 0
        self._send(first)

    def goes_on(self):
        """Say it once more; connect no more, once cut off."""
        with suppress(OSError):
            while self._reads and self.socket.recv(65536):
                pass
        self._send(self._again)

    def _send(self, data):
        with suppress(OSError):
            self.n_sent += self.socket.send(data)


def bad_peers(address):
    """Some of each kind."""
    opening = request("/echo")

    def several(n, *arguments, **options):
        return [Bad(address, *arguments, **options) for _ in range(n)]

    yield from several(10, b"", b"")
    yield from several(5, b"", b"x")
    yield from several(5, opening[:-2], b"X-More: of the same\r\n")
    yield from several(5, b"\x16\x03\x01 garbage" * 99, b"\0" * 9999)
    yield from several(5, opening[:-2] + b"X-Large: ", b"x" * 60_000)
    for early, again in {
        b"": frame(PING, b"x" * 20) * 2000,
        frame(TEXT, b"", fin=False): frame(CONTINUATION, b"", fin=False) * 5000,
        frame(BINARY, b"", fin=False): frame(CONTINUATION, b"x" * 60_000, fin=False),
        frame(BINARY, b"", size=2**62): b"x" * 60_000,
        frame(TEXT, b"\xff"): b"\xff" * 9999,
        frame(3): b"\0" * 9999,
        frame(TEXT, b"x", mask=None): b"\0" * 9999,
    }.items():
        for reads in (True, False):
            for peer in several(3, opening, again, reads=reads):
                time.sleep(0.002)  # Until it is let in: what comes before the answer is refused.
                peer._send(early)
                yield peer


@pytest.mark.parametrize("ending", ["they stay", "they reset"])
def test_good_clients_are_served_among_bad_ones(tmp_path, ending):
    """In a stated time and with bounded memory, whatever is thrown at the server meanwhile."""
    with (
        ExitStack() as sockets,
        ExitStack() as bad_sockets,
        stub(tmp_path) as (process, address, out),
    ):
        good = Good(process, address, sockets)
        good.ping()
        before = memory_of(process)
        peers = list(bad_peers(address))
        for peer in peers:
            bad_sockets.callback(peer.socket.close)
        waits, grown = [], []
        until = time.perf_counter() + 1.5
        while time.perf_counter() < until:
            for peer in peers:
                peer.goes_on()
            waits += [good.ping(), Good(process, address, sockets).wait]
            grown.append(memory_of(process) - before)
        assert max(waits) < DELAY
        assert max(grown) < GROWTH
        assert sum(peer.n_sent for peer in peers) > 0
        if ending == "they reset":
            bad_sockets.close()
        assert good.ping() < DELAY
        assert ends_well(process)
        assert n_malformed(out) >= 40


def n_malformed(out):
    """How many peers the server says it has cut off."""
    with pa.ipc.open_stream(str(out / "server-0.arrows")) as stream:
        return sum(stream.read_all()["malformed"].to_pylist())


def few_descriptors():
    """Let the server open 60 files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))


@pytest.mark.parametrize("limited", [None, few_descriptors], ids=["max_unread", "descriptors"])
def test_a_thousand_who_never_speak_hold_up_nobody(tmp_path, limited):
    """Not the accept loop, not for a file descriptor, and not for as long as they stay."""
    with (
        ExitStack() as sockets,
        stub(tmp_path, preexec_fn=limited) as (process, address, out),
    ):
        silent, waits = [], []
        for number in range(1000):
            silent.append(sockets.enter_context(socket.create_connection(address)))
            if number % 100 == 99:
                good = Good(process, address, sockets)
                waits += [good.wait, good.ping()]
        assert max(waits) < DELAY
        assert all(map(is_cut_off, silent))
        assert Good(process, address, sockets).ping() < DELAY
        assert ends_well(process)
        assert n_malformed(out) == 1000


def is_cut_off(peer):
    """Has the server ended this connection, without a word? Waits for it."""
    peer.settimeout(60)
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True
