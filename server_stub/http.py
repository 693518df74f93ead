"""The second port: health, figures and orders over HTTP, by Quart on Hypercorn.

    GET, HEAD  /api/health   200 while the node is up, 503 while it is down, no answer in a freeze
    GET        /api/state    JSON: connections, backlog, counts, the outage that is on, and the next
    GET        /metrics      for Prometheus
    POST       /api/stop     ?kind=graceful|crash: down until it is started
    POST       /api/start    back up, from whatever outage is on
    POST       /api/restart  ?down_for=SECONDS&kind=graceful|crash
    POST       /api/freeze   ?down_for=SECONDS
    POST       /api/begin    the schedule begins now, if it has not

This port stays while the node is down; what goes down with it is its health.
"""

import math
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from http import HTTPStatus
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as serve_asgi
from quart import Response, jsonify, request
from quart_trio import QuartTrio

from server_stub.access import Access
from server_stub.agenda import OrderRefusedError, Orders
from server_stub.outage import OutageKind
from server_stub.status import Watched
from server_stub.telemetry import CONTENT_TYPE, Telemetry

_KINDS = (OutageKind.GRACEFUL, OutageKind.CRASH)
"""How an order may let a node go down; a freeze has an order of its own."""
_LAST_WORDS = 0.2
"""Seconds that answers under way get when everything ends."""

Answer = tuple[Response, int]


class _BadValueError(Exception):
    """A parameter makes no sense; the message is one clear line."""


def open_port(host: str, port: int) -> socket.socket:
    """A listening socket for HTTP.

    Raises:
        OSError: The port is in use, or may not be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    listening.setblocking(False)
    return listening


async def serve(
    node: Watched,
    listening: socket.socket,
    *,
    access: Access,
    down_for: float,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer requests until cancelled.

    Args:
        node: What they are about.
        listening: From `open_port`; closed in the end.
        access: Who may do what.
        down_for: Seconds; of a restart or a freeze that does not say how long.
        task_status: Started once it answers.
    """
    config = Config()
    config.accesslog = config.errorlog = None
    config.include_server_header = False
    config.graceful_timeout = _LAST_WORDS
    with closing(listening):
        config.bind = [f"fd://{listening.detach()}"]  # Hypercorn's from now on.
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_asgi, application(node, access, down_for), config)
            task_status.started()


def application(node: Watched, access: Access, down_for: float) -> QuartTrio:
    """The application without a port.

    Args:
        node: What it is about.
        access: Who may do what.
        down_for: Seconds; of a restart or a freeze that does not say how long.
    """
    app = QuartTrio(__name__, static_folder=None)
    pages = _Pages(node, down_for)
    for method, path, page in (
        ("GET", "/api/health", pages.health),
        ("GET", "/api/state", pages.state),
        ("GET", "/metrics", pages.metrics),
        ("POST", "/api/stop", pages.stop),
        ("POST", "/api/start", pages.start),
        ("POST", "/api/restart", pages.restart),
        ("POST", "/api/freeze", pages.freeze),
        ("POST", "/api/begin", pages.begin),
    ):
        app.add_url_rule(path, view_func=page, methods=[method])

    @app.before_request
    async def admit() -> Answer | None:
        objection = access.objection(request.method, dict(request.headers))
        return None if objection is None else _error(*objection)

    return app


class _Pages:
    """What each path answers."""

    def __init__(self, node: Watched, down_for: float) -> None:
        self._node = node
        self._down_for = down_for
        self._telemetry = Telemetry(node.status)

    async def health(self) -> Answer:
        await self._node.thawed()
        if self._node.status().is_up:
            return jsonify({"status": "up"}), HTTPStatus.OK
        return jsonify({"status": "down"}), HTTPStatus.SERVICE_UNAVAILABLE

    async def state(self) -> Answer:
        return jsonify(self._node.status().as_json()), HTTPStatus.OK

    async def metrics(self) -> Response:
        return Response(self._telemetry.text(), content_type=CONTENT_TYPE)

    async def stop(self) -> Answer:
        return await self._ordered(lambda orders: orders.order(_kind()))

    async def start(self) -> Answer:
        return await self._ordered(lambda orders: orders.recall())

    async def restart(self) -> Answer:
        return await self._ordered(
            lambda orders: orders.order(_kind(), down_for=_seconds(self._down_for))
        )

    async def freeze(self) -> Answer:
        return await self._ordered(
            lambda orders: orders.order(OutageKind.FREEZE, down_for=_seconds(self._down_for))
        )

    async def begin(self) -> Answer:
        self._node.begin()
        return await self.state()

    async def _ordered(self, give: Callable[[Orders], Awaitable[None]]) -> Answer:
        try:
            await give(self._node.orders())
        except _BadValueError as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))
        except OrderRefusedError as error:
            return _error(HTTPStatus.CONFLICT, str(error))
        return await self.state()


def _error(status: HTTPStatus, reason: str) -> Answer:
    return jsonify({"error": reason}), status


def _kind() -> OutageKind:
    """The parameter `kind`."""
    text = request.args.get("kind", _KINDS[0].value)
    if text not in _KINDS:
        raise _BadValueError(f"kind = {text}: allowed: {' or '.join(_KINDS)}")
    return OutageKind(text)


def _seconds(usual: float) -> float:
    """The parameter `down_for`."""
    text: Any = request.args.get("down_for", usual)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (seconds > 0 and math.isfinite(seconds)):
        raise _BadValueError(f"down_for = {text}: allowed: seconds, more than 0")
    return seconds
