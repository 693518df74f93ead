"""A client's process is killed at any instant and started again: nothing is lost, nothing doubled.

The child is the client; this process is the server, whose ledger lives through it all.
"""

import functools
import inspect
import json
import os
import random
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest

from server_stub.ledger import Ledger, marked_invalid, order_of
from simulator.core.outbox import Outbox, keys_within
from simulator.storage import SqliteStorage

CLIENTS = (0, 1)
ROUNDS = 12
"""Kills per run; each costs the start of an interpreter."""
PATIENCE = 10.0
"""Seconds after which a child that hangs fails the test."""


# The child: it runs from these definitions alone, and so starts in less than a tenth of a second

IMPORTS = """
import functools, json, os, random, signal, socket, sqlite3, sys
from pathlib import Path
from simulator.core.outbox import Outbox, keys_within
from simulator.storage import SqliteStorage
"""


class DeadlyConnection(sqlite3.Connection):
    """Kills its process at a statement: n for before the nth, n + 0.5 for after it, 0 for never."""

    dies_at = 0
    n_executed = 0

    def execute(self, *arguments):
        """Execute a statement, or die."""
        self.n_executed += 1
        if self.n_executed == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        cursor = super().execute(*arguments)
        if self.n_executed + 0.5 == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return cursor


class ClientProcess:
    """Two clients that enqueue, send and hear, one thing after another, on one link."""

    def __init__(self, storage, link, seed):
        self.rng = random.Random(seed)
        self.link = link
        self.answers = link.makefile("r")
        self.outboxes = [Outbox(client, storage, keys_within("kill")) for client in (0, 1)]
        self.n_outstanding = 0

    def run(self, n_operations):
        """Enqueue so many operations, forever if negative, and flush everything."""
        for outbox in self.outboxes:
            outbox.connected(0.0)
        while n_operations or any(outbox.n_pending for outbox in self.outboxes):
            client = self.rng.randrange(2)
            if n_operations and self.rng.random() < 0.5:
                self.enqueue(client)
                n_operations -= 1
            elif operation := self.outboxes[client].next_to_send(0.0):
                self.say("operation", client, *operation)
                self.n_outstanding += 1
            elif self.n_outstanding:
                self.hear()
        self.answers.close()

    def enqueue(self, client):
        """Persist an operation, and let the server know that it is owed."""
        outbox = self.outboxes[client]
        operation = outbox.enqueue(body_of(client, outbox.n_enqueued), 0.0)
        self.say("enqueued", client, operation.sequence)

    def hear(self):
        """Wait for an answer."""
        client, key, reason = json.loads(self.answers.readline())
        self.n_outstanding -= 1
        if reason is None:
            self.outboxes[client].acknowledged(key)
        else:
            self.outboxes[client].rejected(key, reason)

    def say(self, *message):
        """Send a line to the server."""
        self.link.sendall(json.dumps(message).encode() + b"\n")


def body_of(client, number):
    """What an operation says; every fifth is invalid."""
    return f"{'invalid:' if number % 5 == 2 else ''}operation {number} of {client}"


def client_process(*, path, descriptor, survives, seed, n_operations, dies_at):
    """The main function of the child."""
    DeadlyConnection.dies_at = dies_at
    sqlite3.connect = functools.partial(sqlite3.connect, factory=DeadlyConnection)
    with socket.socket(fileno=descriptor) as link:
        link.sendall(b'["hello"]\n')
        with SqliteStorage(Path(path), survives=survives) as storage:
            ClientProcess(storage, link, seed).run(n_operations)


PROGRAM = "\n".join(
    [
        IMPORTS,
        *map(inspect.getsource, (DeadlyConnection, ClientProcess, body_of, client_process)),
        "client_process(**json.loads(sys.argv[1]))",
    ]
)


# The server


class Server:
    """Applies what arrives, notes what it was told, and kills."""

    def __init__(self, path, survives):
        self.path = path
        self.survives = survives
        self.ledger = Ledger(rules=[marked_invalid])
        self.applied = defaultdict(list)
        self.rejected = defaultdict(list)
        self.n_owed = dict.fromkeys(CLIENTS, 0)
        """Operations that a client knows it has enqueued."""
        self.n_seen = dict.fromkeys(CLIENTS, 0)
        """One more than the highest sequence number that arrived."""
        self.n_copies = 0

    def serve(self, *, seed, n_operations=-1, dies_at=0, kill=lambda n_arrived, moment: False):
        """Run a client process to its end; returns its exit code.

        Args:
            seed: Of what the client does.
            n_operations: How many it enqueues; negative for no end.
            dies_at: The statement at which it kills itself.
            kill: Whether to kill it, asked at three moments of each operation's arrival and, with
                the seconds since its hello, whenever nothing arrives for a millisecond.
        """
        here, there = socket.socketpair()
        here.settimeout(PATIENCE)
        task = {
            "path": str(self.path),
            "descriptor": there.fileno(),
            "survives": self.survives,
            "seed": seed,
            "n_operations": n_operations,
            "dies_at": dies_at,
        }
        command = [sys.executable, "-W", "error", "-c", PROGRAM, json.dumps(task)]
        with here, there, subprocess.Popen(command, pass_fds=[there.fileno()]) as child:
            there.close()
            try:
                self.converse(here, child, kill)
                return child.wait(PATIENCE)
            finally:
                child.kill()

    def converse(self, link, child, kill):
        """Read until the child's end of the link is closed; what it sent before arrives."""
        received, n_arrived, hello_at = b"", 0, None
        give_up_at = time.monotonic() + PATIENCE
        while True:
            now = time.monotonic()
            assert now < give_up_at, "the client hangs"
            if hello_at is not None and kill(None, now - hello_at):
                child.kill()
            if not select.select([link], [], [], 0.001)[0]:
                continue
            data = self.read(link)
            if not data:
                return
            *lines, received = (received + data).split(b"\n")
            for line in lines:
                what, *fields = json.loads(line)
                if what == "hello":
                    hello_at = time.monotonic()
                elif what == "enqueued":
                    client, sequence = fields
                    assert sequence == self.n_owed[client]
                    self.n_owed[client] += 1
                elif what == "operation":
                    n_arrived += 1
                    self.arrive(link, child, fields, lambda at, n=n_arrived: kill(n, at))

    def arrive(self, link, child, fields, kill):
        """An operation arrives and is answered; the client may be killed before, between, after."""
        client, sequence, key, body, _ = fields
        if kill("before"):
            child.kill()
        self.n_seen[client] = max(self.n_seen[client], sequence + 1)
        answer = self.ledger.apply(client, key, body)
        if answer.is_duplicate:
            self.n_copies += 1
        else:
            fates = self.applied if answer.result.reason is None else self.rejected
            fates[client].append((sequence, key, body))
        if kill("applied"):
            child.kill()
        self.send(link, [client, key, answer.result.reason])
        if kill("answered"):
            child.kill()

    def check_remains(self):
        """What a dead client has left behind is sound."""
        with SqliteStorage(self.path) as storage:
            for client in CLIENTS:
                stored = storage.stored(client)
                owed = self.n_owed[client]
                # It may have died between the write and the note that it sends us.
                assert owed <= stored.next_sequence <= owed + 1, "an operation was lost"
                self.n_owed[client] = stored.next_sequence
                assert self.n_seen[client] <= stored.next_sequence, "sent before it was persisted"
                pending = [operation.sequence for operation in storage.pending(client)]
                n_settled = stored.next_sequence - stored.n_pending
                assert pending == list(range(n_settled, stored.next_sequence))
                n_answered = len(self.applied[client]) + len(self.rejected[client])
                assert n_settled <= n_answered <= n_settled + 1, "dropped unanswered, or a leap"

    def check_end(self):
        """Every operation was applied once and in order, or set aside."""
        for client in CLIENTS:
            expected = [
                (number, f"kill-{client}-{number}", body_of(client, number))
                for number in range(self.n_owed[client])
            ]
            valid = [each for each in expected if each[0] % 5 != 2]
            invalid = [each for each in expected if each[0] % 5 == 2]
            assert self.applied[client] == valid
            assert self.rejected[client] == invalid
            order = order_of(key for _, key, _ in valid)
            assert self.ledger.tally(client) == (len(valid), order)
            with SqliteStorage(self.path) as storage:
                assert storage.pending(client) == []
                aside = storage.list_set_aside(client)
            assert [each.operation[:3] for each in aside] == invalid
            assert {each.reason for each in aside} <= {"the operation is invalid"}

    @staticmethod
    def read(link):
        """What is there; nothing once the child is gone, even if it left answers unread."""
        try:
            return link.recv(65536)
        except ConnectionResetError:
            return b""

    @staticmethod
    def send(link, message):
        """The child may be dead already."""
        with suppress(BrokenPipeError, ConnectionResetError):
            link.sendall(json.dumps(message).encode() + b"\n")


def some_instant(rng):
    """One of the ways to be killed, as arguments for `serve`."""
    way = rng.choice(["statement", "operation", "delay"])
    if way == "statement":
        return {"dies_at": rng.randrange(2, 240) / 2}
    if way == "operation":
        chosen = rng.randrange(1, 15), rng.choice(["before", "applied", "answered"])
        return {"kill": lambda *moment: moment == chosen}
    delay = rng.uniform(0.0, 0.08)
    return {"kill": lambda n_arrived, since: n_arrived is None and since >= delay}


@pytest.mark.parametrize("survives", ["power_cut", "process_kill"])
def test_an_outbox_survives_being_killed_at_any_instant(tmp_path, survives):
    """However often: in the end each operation was applied once and in order, or set aside."""
    rng = random.Random(7)
    server = Server(tmp_path / "outbox.db", survives)
    for seed in range(ROUNDS):
        assert server.serve(seed=seed, **some_instant(rng)) == -signal.SIGKILL
        server.check_remains()
    assert server.serve(seed=ROUNDS, n_operations=10) == 0
    server.check_remains()
    server.check_end()
    assert sum(server.n_owed.values()) >= 10 + ROUNDS
    assert server.n_copies, "no kill fell between an operation and its answer"


@pytest.mark.parametrize("number", range(2, 62, 9))
def test_a_file_survives_a_kill_in_its_first_moments(tmp_path, number):
    """Before a statement or after it: while the file is made, and around its first operations."""
    server = Server(tmp_path / "outbox.db", "process_kill")
    assert server.serve(seed=number, dies_at=number / 2) == -signal.SIGKILL
    server.check_remains()
    assert server.serve(seed=number, n_operations=4) == 0
    server.check_end()
