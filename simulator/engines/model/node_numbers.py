"""Which node held each connection that was lost, and which each attempt went to.

The arrays do not keep it: the balancer's rules give it again, once all attempts are known.
"""

import numpy as np
from numpy.typing import NDArray

from simulator.core.outcomes import Outcome
from simulator.engines.model.course import Course, ramp_connects
from simulator.engines.model.dealing import Dealer, Nodes, ramp_keys
from simulator.engines.model.instants import in_ns
from simulator.engines.model.keys import Keys
from simulator.keys import episode_keys, find
from simulator.scenario import Scenario


def node_numbers(
    scenario: Scenario, course: Course, cohort_of: NDArray[np.uint16]
) -> tuple[Nodes, Nodes]:
    """The nodes of losses and of attempts.

    Args:
        scenario: What was run.
        course: What happened.
        cohort_of: Index of each client's cohort, shape (n_clients,).

    Returns:
        One for each row of `course.losses`, and one for each of `course.attempts`; of a digest
        zeros, since the attempts that would tell are gone.
    """
    losses, attempts = course.losses, course.attempts
    if scenario.server.nodes == 1 or course.digest is not None:
        return (
            np.zeros(losses["client"].size, dtype=np.uint16),
            np.zeros(attempts["client"].size, dtype=np.uint16),
        )
    dealer = Dealer(scenario, cohort_of)
    connects = ramp_connects(scenario, cohort_of)
    first = ramp_keys(connects)
    ramp = np.empty(cohort_of.size, dtype=np.uint16)
    ramp[first.client] = dealer.deal(first, connects[first.client])
    rtts = np.array([in_ns(cohort.rtt) for cohort in scenario.cohorts])
    arrives_at = attempts["due_at"] + rtts[cohort_of[attempts["client"]]]
    order = np.lexsort((attempts["client"], arrives_at))
    keys = Keys(*(attempts[name][order] for name in Keys._fields))
    went_to = np.empty(order.size, dtype=np.uint16)
    went_to[order] = dealer.deal(keys, arrives_at[order])
    made = np.flatnonzero(attempts["outcome"] == Outcome.CONNECTED)
    by_key = {name: attempts[name][made].astype("u4") for name in ("client", "episode")}
    ended = {"client": losses["client"], "episode": losses["episode"].astype("u4") - np.uint32(1)}
    row = find(episode_keys(ended), episode_keys(by_key))
    held_by = np.append(went_to[made], np.uint16(0))[row]
    return np.where(losses["episode"] == 1, ramp[losses["client"]], held_by), went_to
