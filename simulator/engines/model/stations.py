"""Where a connect is served on its way in: a node's own workers, then stages before the 101."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server_stub.config import ServerConfig
from server_stub.draws import Purpose, uniforms
from server_stub.service import service_times
from server_stub.service_time import ServiceTime
from server_stub.stages import Stage
from simulator.engines.model.dealing import Nodes
from simulator.engines.model.desks import Desks
from simulator.engines.model.instants import NEVER, Instants, all_in_ns, in_ns
from simulator.engines.model.keys import Keys

_ONLY = np.uint16(0)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Station:
    """The nodes' own workers, or a stage behind them."""

    number: int
    """0 for the nodes' own workers, then the stages in order: part of the key of their draws."""
    desks: Desks
    service_time: ServiceTime
    share: float = 1.0
    timeout: int = NEVER
    """Nanoseconds from joining it after which the node gives an attempt up."""
    is_shared: bool = False

    def group_of(self, nodes: Nodes) -> Nodes:
        """Which of its queues those who come from these nodes join."""
        return np.broadcast_to(_ONLY, nodes.shape) if self.is_shared else nodes

    def needed_by(self, seed: int, keys: Keys) -> NDArray[np.bool_] | None:
        """Which attempts need it; None for all."""
        if self.share >= 1.0:
            return None
        draws = uniforms(seed, Purpose.STAGE_NEED, *keys, index=self.number)
        return draws < self.share

    def service_of(self, seed: int, keys: Keys) -> Instants:
        """How long it works on each attempt."""
        purpose = Purpose.STAGE_SERVICE if self.number else Purpose.SERVICE
        draws = uniforms(seed, purpose, *keys, index=self.number)
        return np.maximum(all_in_ns(service_times(self.service_time, draws)), 1)


def stations_of(server: ServerConfig) -> tuple[Station, ...]:
    """All of them, in the order in which they are passed."""
    own = Station(
        number=0,
        desks=Desks(server.nodes, server.workers, server.backlog),
        service_time=server.service_time,
    )
    stages = (
        _station(number, stage, server.nodes) for number, stage in enumerate(server.stages, start=1)
    )
    return (own, *stages)


def _station(number: int, stage: Stage, n_nodes: int) -> Station:
    return Station(
        number=number,
        desks=Desks(1 if stage.shared else n_nodes, stage.workers, stage.backlog),
        service_time=stage.service_time,
        share=stage.share,
        timeout=NEVER if stage.timeout is None else in_ns(stage.timeout),
        is_shared=stage.shared,
    )
