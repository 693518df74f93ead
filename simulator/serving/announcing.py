"""What `herd serve` says: where it listens, what will happen when, what has just happened."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from server_stub.outage import OutageWindow
from server_stub.status import Status
from simulator.scenario import Scenario
from simulator.serving.ports import AUTHORITY, Ports
from simulator.serving.terms import Certificate, Terms

_MOST_NAMED = 8
"""Outages of a schedule that are named."""


def whereabouts(terms: Terms, ports: Ports, scenario: Scenario) -> Iterator[str]:
    """Where it listens, and for what."""
    where = f"{terms.scheme}://{_place(terms, ports.address)}"
    yield f"listening on {where}; up to {scenario.server.capacity:g} handshakes/s"
    yield "  any path echoes; /publish/TOPIC speaks to those on /subscribe/TOPIC"
    yield f"  clients are told apart by {_mark_in_words(terms)}"
    if terms.tls is True:
        yield f"  its certificate is vouched for by {AUTHORITY} among the records"
    if ports.http_address is not None:
        http = f"http://{_place(terms, ports.http_address)}"
        yield f"HTTP on {http}: /api/health, /api/state, /metrics"
        yield f"  orders: curl -X POST {_authorization(terms)}'{http}/api/restart?down_for=5'"
        yield "  likewise stop, start, freeze?down_for=5"


def schedule(terms: Terms, scenario: Scenario) -> Iterator[str]:
    """What will happen when, as long as nobody knows when t = 0 will be."""
    if terms.begin_after:
        yield f"t = 0 is when {_count(terms.begin_after)} connected; then:"
    else:
        yield "t = 0 is now:"
    windows = scenario.windows
    yield from (f"  {_window(window)}" for window in windows[:_MOST_NAMED])
    if len(windows) > _MOST_NAMED:
        yield f"  {len(windows) - _MOST_NAMED} more until {windows[-1].ends_at:g} s"
    if not windows:
        yield "  no outage is scheduled"
    yield f"  {_end(terms, scenario)}"


def by_the_clock(terms: Terms, scenario: Scenario, zero: datetime) -> str:
    """What will happen when, once t = 0 is known.

    Args:
        terms: Say how long all lasts.
        scenario: The schedule.
        zero: The wall clock at t = 0.
    """
    parts = [f"t = 0 is {zero:%H:%M:%S}"]
    parts += [
        f"{window.kind.value} {_time(zero, window.starts_at)} to {_time(zero, window.ends_at)}"
        for window in scenario.windows[:_MOST_NAMED]
    ]
    if scenario.windows and terms.run_for is None:
        parts.append(f"the end at {_time(zero, scenario.horizon)} at the latest")
    return "; ".join(parts)


def news(status: Status, *, n_connected: int) -> str:
    """What has just happened to a node.

    Args:
        status: It has just gone down or come back.
        n_connected: Connections just before.
    """
    what = "up again" if status.now_on is None else status.now_on.kind.value
    return f"{status.at or 0.0:.1f} s: {what}, {n_connected:,} connected"


def _place(terms: Terms, address: tuple[str, int]) -> str:
    """An address to dial; a server that listens everywhere is also here."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])
    if isinstance(terms.tls, Certificate):
        host = terms.host if terms.host not in {"0.0.0.0", "::"} else host
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"


def _mark_in_words(terms: Terms) -> str:
    match terms.mark.kind:
        case "query":
            return f"the query parameter {terms.mark.name!r}, as in /?{terms.mark.name}=7"
        case "header":
            return f"the header {terms.mark.name!r}"
    return "their address"


def _authorization(terms: Terms) -> str:
    return "" if terms.token is None else f"-H 'Authorization: Bearer {terms.token}' "


def _count(n_clients: int) -> str:
    return "the first client is" if n_clients == 1 else f"{n_clients:,} clients are"


def _window(window: OutageWindow) -> str:
    return f"{window.kind.value}, {window.starts_at:g} to {window.ends_at:g} s"


def _time(zero: datetime, at: float) -> str:
    return f"{zero + timedelta(seconds=at):%H:%M:%S}"


def _end(terms: Terms, scenario: Scenario) -> str:
    if terms.run_for is not None:
        return f"it ends {terms.run_for:g} s after it began to listen, or with Ctrl-C"
    if not scenario.windows:
        return "it ends with Ctrl-C"
    return (
        f"it ends when everybody has been back for {scenario.settle:g} s, at the latest at "
        f"{scenario.horizon:g} s, or with Ctrl-C"
    )
