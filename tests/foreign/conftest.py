"""`herd serve` as a process of its own, for clients that know nothing of herd."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

LONG = 120.0
"""Seconds; on a busy machine everything takes its time."""


class Served:
    """A server for others, and what it said."""

    def __init__(self, out, *arguments):
        self.out = out
        self.said = []
        ports = ("--port", "0", "--http-port", "0", "--out", str(out))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulator.cli", "serve", *map(str, arguments), *ports],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self._announced(r"listening on (\S+);")
        self.http = self._announced(r"HTTP on (\S+):")

    def _announced(self, pattern):
        """What it says in a line that is yet to come."""
        for line in self._process.stdout:
            self.said.append(line.rstrip())
            if found := re.search(pattern, line):
                return found.group(1)
        raise AssertionError(self._process.stderr.read())

    def ask(self, path, method="GET"):
        """An answer over HTTP: the status, and the JSON."""
        request = urllib.request.Request(f"{self.http}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=LONG) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def wait_until(self, n_connected):
        """So many clients are connected."""
        deadline = time.monotonic() + LONG
        while self.ask("/api/state")[1]["connections"] != n_connected:
            assert time.monotonic() < deadline, f"never {n_connected} connections"
            time.sleep(0.05)

    def ends(self, how=None):
        """Wait for its end, after a signal if need be; gives the exit code."""
        if how is not None:
            self._process.send_signal(how)
        out, self.complaints = self._process.communicate(timeout=LONG)
        self.said += out.splitlines()
        return self._process.returncode

    def drop(self):
        """Whatever state it is in."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


@pytest.fixture
def serve(tmp_path):
    """Start one: `serve("restart", "--set", ...)`."""
    started = []

    def start(*arguments):
        started.append(Served(tmp_path / "out", *arguments))
        return started[-1]

    yield start
    for served in started:
        served.drop()


@pytest.fixture
def fleet():
    """Start somebody's clients: a command that runs until the test is over."""
    started = []

    def start(*command, **settings):
        started.append(subprocess.Popen([*map(str, command)], **settings))

    yield start
    for process in started:
        process.kill()
        process.wait()
