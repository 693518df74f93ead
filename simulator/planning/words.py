"""What a plan has found, in plain words."""

import math
from collections.abc import Iterator, Sequence

from reports.wording import listed, per_second, percent, seconds
from simulator.plan_results import (
    Capacity,
    Edge,
    Evidence,
    PlanResult,
    Policies,
    Price,
    Region,
)

_TIMES = ("time_to_", "reconnect_time", "detection_time", "floor", "generator_lag", "server_lag")


def value_in_words(metric: str, value: float | None) -> str:
    """A metric with its unit."""
    leaf = metric.rpartition(".")[2]
    if value is None or math.isinf(value):
        return "never"
    if leaf.startswith(_TIMES):
        return seconds(value)
    if "_rate" in leaf:
        return per_second(value)
    if leaf.endswith("_share"):
        return percent(value)
    return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


def met_in_words(evidence: Evidence) -> str:
    """Under how many seeds a setting met the objectives, and what follows from that."""
    low, high = evidence.met_interval
    return (
        f"met under {evidence.n_met} of {len(evidence.seeds)} seeds "
        f"(95 %: {percent(low)} to {percent(high)} of such storms)"
    )


def measured(evidence: Evidence, metric: str) -> str:
    """A metric's median over the seeds and, of those where it is finite, the mean's interval."""
    text = value_in_words(metric, evidence.median(metric))
    if metric in evidence.means:
        _, low, high = evidence.means[metric]
        text += f" ({value_in_words(metric, low)} to {value_in_words(metric, high)})"
    return text


def objectives_in_words(plan: PlanResult, evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """Each objective, what was measured, and under how many seeds it is met."""
    for text in plan.objectives:
        metric = plan.limits[text][0]
        met = evidence.met[text]
        yield text, measured(evidence, metric), f"{sum(met)} of {len(met)}"


def edge_in_words(edge: Edge) -> str:
    """How far one quantity can go."""

    def amount(x: float) -> str:
        if edge.unit == "s":
            return f"{1000 * x:,.3g} ms" if x < 1 else f"{x:,.3g} s"
        return f"{x:,.0f}"

    today = f"{edge.what} {amount(edge.today)} today"
    if edge.first is None:
        way = "more" if edge.limit > edge.today else "less"
        return f"{today}: the answer is the same with {way}, as far as {amount(edge.limit)}"
    worse = edge.first > edge.today
    ends = sorted((edge.last or edge.first, edge.first))
    head = ends[0] / edge.today - 1
    change = f"{'+' if head > 0 else ''}{100 * head:,.0f} %"
    verb = "missed beyond" if worse else "met below"
    if edge.cliff:
        shape = (
            "a cliff: its metric jumps there"
            if edge.elasticity is None
            else f"a cliff: its metric changes by {abs(edge.elasticity):,.0f} % for 1 %"
        )
    else:
        shape = f"a slope: its metric changes by {abs(edge.elasticity or 0):,.1f} % for 1 %"
    return (
        f"{today}: {edge.objective} is {verb} {amount(ends[0])} to {amount(ends[1])} ({change}); "
        f"{shape}"
    )


def capacity_in_words(capacity: Capacity) -> Iterator[str]:
    """The narrowest stage, and what of each would do by itself."""
    yield (
        f"The narrowest stage is {capacity.binding_stage}, {per_second(capacity.capacity)}: the "
        f"fastest possible recovery (clients / capacity) is {seconds(capacity.floor)}."
    )
    for one in capacity.resources:
        if one.needed is None:
            yield f"{one.what}: {one.today:,} today; not even {one.limit:,} would do by themselves"
        elif one.needed > one.today:
            yield f"{one.what}: {one.today:,} today; it takes {one.needed:,}"
        else:
            yield f"{one.what}: {one.today:,} today; {one.needed:,} would do"
    for needed in capacity.needed:
        if needed.needed is None:
            yield f"under {needed.policy} not even {per_second(needed.limit)} would do"
        else:
            what = listed([f"{field} = {value:,}" for field, value in needed.changes.items()])
            yield f"under {needed.policy} it takes {per_second(needed.needed)}: {what}"


def price_in_words(policies: Policies) -> str:
    """What jitter costs and what it buys, at the delays looked at."""
    by_jitter = {price.jitter: price for price in policies.price}
    if "none" not in by_jitter or "full" not in by_jitter:
        return ""
    plain, full = by_jitter["none"], by_jitter["full"]
    return (
        f"The price of jitter ({policies.price_of}): half are back after {_time(full, 'p50')} with "
        f"full jitter and {_time(plain, 'p50')} without, 99 % after {_time(full, 'p99')} and "
        f"{_time(plain, 'p99')}, the last one after {_time(full, 'p100')} and "
        f"{_time(plain, 'p100')}; arrivals peak at {_peak(full)} and {_peak(plain)}."
    )


def _time(price: Price, share: str) -> str:
    return value_in_words("time_to_recovery", getattr(price, f"time_to_recovery_{share}"))


def _peak(price: Price) -> str:
    return value_in_words("peak_rate", price.peak_arrival_rate_up_1s)


def region_in_words(region: Region) -> Iterator[str]:
    """Where the herd is stuck, with the abandoned served and skipped, and what gets it out."""
    if not region.cells:
        return
    for abandoned in dict.fromkeys(cell.abandoned for cell in region.cells):
        cells = [cell for cell in region.cells if cell.abandoned == abandoned]
        stuck = [cell for cell in cells if "stuck" in cell.states]
        where = f"{len(stuck)} of {len(cells)} cells of the map"
        if stuck:
            outage = min(cell.down_for for cell in stuck)
            load = min(cell.n_clients for cell in stuck)
            where += f", from {load:,.0f} clients and outages of {outage:g} s on"
        does = "serves" if abandoned == "serve" else "skips"
        yield f"With a server that {does} the abandoned, the herd is stuck in {where}."
    works = [remedy.what for remedy in region.remedies if remedy.works]
    if region.remedies:
        out = "; ".join(works) if works else "nothing that was tried"
        yield f"At {region.at}, what gets it out: {out}."


def assumptions(
    plan: PlanResult, *, abandoned: str, capacities: Sequence[str], scale: float, n_clients: int
) -> tuple[str, ...]:
    """What a plan rests on."""
    lines = [
        f"The service times are as stated: {listed(list(capacities))}.",
        f"A server {'goes on to serve' if abandoned == 'serve' else 'skips'} clients that have "
        f"given up (server.abandoned = {abandoned}).",
        "A fleet of clients can be given one policy; where it is a library's, its other habits go.",
    ]
    if scale > 1:
        lines.append(
            f"Searches ran {n_clients:,} clients, each for {scale:,.4g} of the herd's, with rates, "
            "workers and queues scaled alike; what is recommended was run at full size."
        )
    if plan.engine == "model":
        lines.append("The model engine has no lag, no packet loss and no machine limits.")
    return tuple(lines)
