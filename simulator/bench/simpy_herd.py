"""The peer of the model engine: the same storm as an idiomatic SimPy program.

One process per client; the server's workers are a `Resource`. What it leaves out makes it faster,
not slower: it keeps no record but its counts.
"""

import random

import simpy

from simulator.core.backoff import Policy, delay
from simulator.scenario import Scenario


def count_attempts(scenario: Scenario) -> int:
    """Run the first outage of a scenario with one cohort, a backlog for everybody and patience.

    Returns:
        How many attempts the clients made until all were back.
    """
    environment = simpy.Environment()
    window = scenario.windows[0]
    client = scenario.client
    workers = simpy.Resource(environment, capacity=scenario.server.workers)
    chance = random.Random(scenario.seed)
    mean = scenario.server.service_time.mean
    n_attempts = 0

    def come_back(policy: Policy) -> simpy.events.ProcessGenerator:
        nonlocal n_attempts
        yield environment.timeout(window.starts_at)
        step = 0
        while True:
            step += 1
            yield environment.timeout(delay(policy, step, chance.random()))
            n_attempts += 1
            yield environment.timeout(client.rtt)
            if environment.now < window.ends_at:
                continue
            with workers.request() as turn:
                yield turn
                yield environment.timeout(chance.expovariate(1 / mean))
            return

    for _ in range(scenario.n_clients):
        environment.process(come_back(client.policy))
    environment.run(until=scenario.horizon)
    return n_attempts
