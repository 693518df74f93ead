"""A real browser, spoken to over its debugging protocol."""

import base64
import json
import os
import re
import shutil
import subprocess
from itertools import count

import pytest
from websockets.sync.client import connect

WIDE, NARROW = (1280, 900), (380, 800)


class Visit:
    """A page that has been opened: what it asked for, what it complained of, what is on it."""

    def __init__(self, browser, session):
        self._browser, self._session = browser, session
        self.complaints, self.requests = [], []

    def send(self, method, **parameters):
        """One command; gives its result."""
        return self._browser.send(method, parameters, session=self._session, visit=self)

    def note(self, message):
        """Keep what an event tells."""
        method, told = message["method"], message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(told["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self.complaints.append(str(told["args"]))

    def evaluate(self, script):
        """The value of an expression of JavaScript."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def printed(self):
        """The page as a PDF."""
        return base64.b64decode(self.send("Page.printToPDF", printBackground=True)["data"])


class Browser:
    """Chromium without a window."""

    def __init__(self, socket):
        self._socket, self._numbers = socket, count(1)

    def send(self, method, parameters, *, session=None, visit=None):
        """One command; events that come before its answer are the visit's."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            message = json.loads(self._socket.recv(timeout=30))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            if visit is not None and "method" in message:
                visit.note(message)

    def open(self, path, *, size=WIDE, dark=False):
        """Open a file, in a window of so many pixels."""
        target = self.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})
        visit = Visit(self, session["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            visit.send(f"{domain}.enable")
        width, height = size
        visit.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        visit.send("Emulation.setEmulatedMedia", features=[scheme])
        visit.send("Page.navigate", url=path.resolve().as_uri())
        loaded = "new Promise(done => document.readyState === 'complete' ? done(1) : onload = done)"
        visit.send("Runtime.evaluate", expression=loaded, awaitPromise=True)
        return visit


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium; tests that need it are skipped where there is none, but not in the gate."""
    program = shutil.which("chromium")
    if program is None:
        assert not os.environ.get("HERD_TESTS_NEED_CHROMIUM"), "there is no chromium to be found"
        pytest.skip("needs chromium")
    profile = tmp_path_factory.mktemp("profile")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    options += ["--no-first-run", f"--user-data-dir={profile}", "--remote-debugging-port=0"]
    with subprocess.Popen(
        [program, *options, "about:blank"], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            address = next(
                found[1]
                for line in process.stderr
                if (found := re.search(r"DevTools listening on (ws://\S+)", line))
            )
            with connect(address, max_size=None) as socket:
                yield Browser(socket)
        finally:
            process.kill()
