"""What is known of a client library that reconnects, and words that several of them share."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from simulator.core.backoff import Policy
from simulator.core.close_codes import CloseRules, Codes
from simulator.core.connectivity import MonitorConfig
from simulator.core.heartbeat import HeartbeatConfig
from simulator.core.statuses import Statuses, StatusRules
from simulator.core.visibility import PageRules

MILLISECONDS = 0.001
"""What the timers of JavaScript count in."""
TIMERS_ALONE = PageRules(shown="timers")
"""For a library that does not look whether its page is in view."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """A library's way to come back: where it is written, and herd's form of it."""

    name: str
    """As people install it, without scope or `-client`."""
    library: str
    """Its full name."""
    version: str
    licence: str
    source: str
    """The file and the lines that the rule was read from."""
    rule: str
    """Its delays and what goes with them, in words."""
    storm: str
    """What makes it dangerous or safe when a whole herd follows it, in one line."""
    policy: Policy
    client: Mapping[str, Any]
    """The library's other habits, as fields of a scenario's `[client]`: its connect timeout, its
    heartbeat, the close codes it obeys, what wakes it. What is not here it leaves to herd."""


def preset(
    name: str,
    *,
    library: str,
    version: str,
    licence: str,
    source: str,
    rule: str,
    storm: str,
    policy: Policy,
    client: Mapping[str, Any] = MappingProxyType({}),
) -> Preset:
    """A preset whose policy bears its name and brings its habits along, if it has any."""
    return Preset(
        name=name,
        library=library,
        version=version,
        licence=licence,
        source=source,
        rule=rule,
        storm=storm,
        policy=policy.model_copy(update={"name": name, "library": name if client else ""}),
        client=MappingProxyType(dict(client)),
    )


def habits(
    *,
    connect_timeout: float | None,
    heartbeat: HeartbeatConfig | None,
    end: Codes = (),
    at_once: Codes = (),
    end_status: Statuses = (),
    wakes_online: bool = False,
    page: PageRules = TIMERS_ALONE,
) -> Mapping[str, Any]:
    """What a client does besides waiting, as fields of `[client]`.

    No library here reads a Retry-After header or a delay in the reason of a close frame.

    Args:
        connect_timeout: Seconds; None waits for as long as the system does.
        heartbeat: None for none.
        end: Close codes after which it does not come back.
        at_once: Close codes after which it comes back at once.
        end_status: HTTP statuses, in the place of the 101, after which it does not come back.
        wakes_online: Does it dial at once when the browser says `online`?
        page: What it makes of the page being hidden and shown.
    """
    return {
        "connect_timeout": connect_timeout,
        "heartbeat": heartbeat,
        "close_codes": CloseRules(
            end=end, retry=(), delayed=(), at_once=at_once, application="retry", otherwise="retry"
        ),
        "statuses": StatusRules(end=end_status),
        "retry_after": "ignore",
        "page": page,
        "network_monitor": MonitorConfig(interval=None, window=0.0) if wakes_online else None,
    }


def texts(interval: float, timeout: float) -> HeartbeatConfig:
    """A heartbeat of the library's own messages.

    A silent loss is noticed between `timeout` and `interval + timeout` seconds later; so it serves,
    too, where the server pings and the client listens.
    """
    return HeartbeatConfig(interval=interval, timeout=timeout, kind="application")
