"""A node's figures for Prometheus, by its own client library."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from server_stub.status import Status

CONTENT_TYPE = CONTENT_TYPE_LATEST
_COUNTED = {
    "arrivals": "Upgrade requests that reached the server.",
    "admitted": "Arrivals that got a worker or a place in the backlog.",
    "completed": "Services finished, wasted ones included.",
    "wasted": "Services finished for a client that had left.",
    "rejected": "Arrivals turned away.",
    "malformed": "Peers cut off for breaking TLS, HTTP, RFC 6455 or a limit.",
}


class Telemetry:
    """Writes a status down as Prometheus reads it."""

    def __init__(self, status: Callable[[], Status]) -> None:
        """Set it up.

        Args:
            status: Gives the node's status of the moment.
        """
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(status))

    def text(self) -> bytes:
        """All figures of now."""
        return generate_latest(self._registry)


class _Collector(Collector):
    """Asks only when somebody wants to know: the node keeps its counts anyway."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """The metrics and their values."""
        status = self._status()
        yield _gauge("herd_up", "1 while no outage is on, else 0.", status.is_up)
        yield _gauge("herd_connections", "Open connections.", status.n_connected)
        yield _gauge("herd_backlog", "Handshakes that wait for a worker.", status.backlog)
        yield _gauge("herd_busy_workers", "Workers that serve a handshake.", status.busy_workers)
        yield _gauge("herd_clients", "Different clients seen so far.", status.n_clients)
        for name, meaning in _COUNTED.items():
            yield CounterMetricFamily(f"herd_{name}", meaning, value=status.totals[name])
        outages = CounterMetricFamily("herd_outages", "Outages that have begun.", labels=["kind"])
        for kind, count in status.n_outages.items():
            outages.add_metric([kind], count)
        yield outages

    def describe(self) -> Iterator[Metric]:
        """Nothing in advance; the registry would otherwise collect to find out."""
        return iter(())


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
