"""How far one can look ahead: the longest slice in which nobody who arrives can be back."""

from collections.abc import Callable, Sequence

from simulator.engines.model.agenda import Agenda
from simulator.engines.model.herd import Herd
from simulator.engines.model.instants import NEVER
from simulator.engines.model.stations import Station


def longest_slice(
    herd: Herd,
    stations: Sequence[Station],
    agendas: Sequence[Agenda],
    *,
    first_at: int,
    until: int,
    at_one_node: Callable[[int], int],
) -> int:
    """For how long nobody who arrives can be back.

    Who is turned away at once can arrive again a round trip later. Where there is room for all
    nobody is, and only lost patience, theirs or a stage's, brings them back.

    Args:
        herd: The clients.
        stations: Where they are served.
        agendas: Who is expected at each station.
        first_at: When the first of them is.
        until: Where the agendas can be looked into; later than `first_at`.
        at_one_node: How many of so many arrivals can go to the same node.

    Returns:
        Nanoseconds from `first_at` on.
    """
    rtt = herd.shortest_rtt
    wait = min([herd.shortest_wait, *(station.timeout for station in stations[1:])])
    back_at = min(first_at + min(wait, NEVER - first_at - rtt) + rtt, until)
    for agenda in agendas[1:]:
        on_their_way = agenda.until(back_at)
        if on_their_way.size:
            back_at = min(back_at, int(herd.patience_of(on_their_way).min()) + rtt)
    n_joining = 0
    for station, agenda in zip(stations, agendas, strict=True):
        n_joining += agenda.n_until(back_at)
        n = n_joining if station.desks.n_groups == 1 else at_one_node(n_joining)
        if n > station.desks.n_places:
            return rtt
    return max(back_at - first_at, rtt)
