"""What `herd policies` prints: a line for each policy, sorted by any column."""

import dataclasses
import math
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import typer

from simulator.cli.printing import print_json, print_table
from simulator.core.backoff import Policy, describe, most_retries
from simulator.core.policies import NAMED
from simulator.core.preview import delay_bounds, longest_delay
from simulator.errors import UnknownNameError
from simulator.grading import StormGrade, setting_in_words, storm_grade

_WIDTH = 100
"""Characters of a line of text."""
_DELAYS = 4
"""Attempts whose delays are listed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A policy with what is said about it."""

    name: str
    policy: Policy
    delays: list[tuple[float, float]]
    """Seconds: (low, high) before each of the first attempts; fewer if it gives up before."""
    cap: float | None
    """Seconds; the longest delay there is, None for no end."""
    most_retries: int | None
    """After which it gives up, None for never."""
    grade: StormGrade


@dataclass(frozen=True, kw_only=True, slots=True)
class _Column:
    header: str
    cell: Callable[[Listed], str]
    rank: Callable[[Listed], Any]
    """What to sort by."""


def _delay_cell(place: int) -> Callable[[Listed], str]:
    return lambda row: in_range(row.delays[place]) if place < len(row.delays) else "-"


def _delay_rank(place: int) -> Callable[[Listed], float]:
    """By the middle of the range; a policy that has given up by then comes last."""
    return lambda row: sum(row.delays[place]) / 2 if place < len(row.delays) else math.inf


_COLUMNS: Mapping[str, _Column] = MappingProxyType(
    {
        "name": _Column(header="policy", cell=lambda row: row.name, rank=lambda row: row.name),
        "grade": _Column(
            header="grade", cell=lambda row: row.grade.letter, rank=lambda row: row.grade.ratio
        ),
        "peak": _Column(
            header="peak",
            cell=lambda row: _ratio(row.grade.ratio),
            rank=lambda row: row.grade.ratio,
        ),
        "late": _Column(
            header="late",
            cell=lambda row: _ratio(row.grade.ratio_late),
            rank=lambda row: row.grade.ratio_late,
        ),
        **{
            f"delay-{place + 1}": _Column(
                header=f"delay {place + 1}", cell=_delay_cell(place), rank=_delay_rank(place)
            )
            for place in range(_DELAYS)
        },
        "jitter": _Column(
            header="jitter",
            cell=lambda row: _jitter(row.policy),
            rank=lambda row: _jitter(row.policy),
        ),
        "cap": _Column(
            header="cap",
            cell=lambda row: "none" if row.cap is None else f"{row.cap:g}",
            rank=lambda row: math.inf if row.cap is None else row.cap,
        ),
        "gives-up": _Column(
            header="gives up",
            cell=lambda row: in_attempts(row.most_retries),
            rank=lambda row: math.inf if row.most_retries is None else row.most_retries,
        ),
    }
)


def list_policies(*, sort: str | None, as_json: bool) -> None:
    """All policies with their first delays and their grades.

    Args:
        sort: The column to sort by, the smallest first; None leaves them in their own order.
        as_json: Print JSON.

    Raises:
        UnknownNameError: There is no such column.
    """
    if sort is not None and sort not in _COLUMNS:
        raise UnknownNameError("--sort", sort, _COLUMNS)
    rows = [listed(name, policy) for name, policy in NAMED.items()]
    if sort is not None:
        rows.sort(key=_COLUMNS[sort].rank)
    if as_json:
        print_json([facts(row) for row in rows])
        return
    print_table(
        [column.header for column in _COLUMNS.values()],
        [[column.cell(row) for column in _COLUMNS.values()] for row in rows],
    )
    notes = f"Delays in seconds before the n-th attempt after a loss. {setting_in_words()}"
    typer.echo("\n" + "\n".join(textwrap.wrap(notes, _WIDTH)))
    typer.echo("More: herd policies NAME; --sort COLUMN")


def listed(name: str, policy: Policy, *, n_delays: int = _DELAYS) -> Listed:
    """Look at a policy."""
    return Listed(
        name=name,
        policy=policy,
        delays=delay_bounds(policy, n_delays),
        cap=longest_delay(policy),
        most_retries=most_retries(policy),
        grade=storm_grade(policy),
    )


def facts(row: Listed) -> dict[str, Any]:
    """The same for programs."""
    grade = row.grade
    return {
        "name": row.name,
        "description": describe(row.policy),
        "delays": [
            {"attempt": attempt, "low": low, "high": high}
            for attempt, (low, high) in enumerate(row.delays, start=1)
        ],
        "jitter": _jitter(row.policy),
        "cap": row.cap,
        "gives_up_after": row.most_retries,
        "grade": {"letter": grade.letter, "ratio": grade.ratio, **dataclasses.asdict(grade)},
    }


def in_range(bounds: tuple[float, float]) -> str:
    """Seconds to the millisecond: one number, or from one to another."""
    low, high = (round(bound, 3) for bound in bounds)
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def in_attempts(max_attempts: int | None) -> str:
    """When a client gives up."""
    return "never" if max_attempts is None else f"after {max_attempts}"


def _ratio(ratio: float) -> str:
    return "x<0.01" if 0 < ratio < 0.01 else f"x{ratio:.3g}"


def _jitter(policy: Policy) -> str:
    """What chance does to a delay, in a word or two."""
    if policy.function:
        return "its own"
    words = []
    if policy.base_spread:
        words.append("base")
    if any(not isinstance(wait, float) for wait in policy.waits):
        words.append("points")
    if policy.jitter != "none":
        words.append(policy.jitter)
    return " + ".join(words) or "none"
