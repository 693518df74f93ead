"""What `herd policies` prints."""

from collections.abc import Iterable
from typing import Any

import tomli_w
import typer

from simulator.cli.output import print_json, print_table
from simulator.core.backoff import BASIC, Policy, describe
from simulator.core.preview import delay_bounds, first_delays
from simulator.experiment import policy_named

_LISTED, _EXPLAINED = 4, 12
"""Attempts whose delays are shown."""


def list_policies(*, as_json: bool) -> None:
    """All policies with what they do and their first delays."""
    if as_json:
        print_json([_facts(policy, _LISTED) for policy in BASIC.values()])
        return
    print_table(
        ("policy", *(f"delay {attempt}" for attempt in range(1, _LISTED + 1)), "what it does"),
        [
            (name, *map(_range, delay_bounds(policy, _LISTED)), describe(policy))
            for name, policy in BASIC.items()
        ],
    )
    typer.echo("\nDelays in seconds before the n-th attempt after a loss. More: herd policies NAME")


def explain_policy(name: str, *, as_json: bool) -> None:
    """One policy: what it does, as TOML to start from, and its delays.

    Raises:
        UnknownNameError: There is no such policy.
    """
    policy = policy_named(name)
    if as_json:
        print_json({**_facts(policy, _EXPLAINED), "settings": _settings(policy)})
        return
    typer.echo(f"{name}: {describe(policy)}\n")
    typer.echo("As a table of a scenario, to start from:\n")
    typer.echo(tomli_w.dumps({"client": {"policy": _settings(policy)}}))
    print_table(
        ("attempt", "delay (s)"),
        [
            (str(attempt), _range(bounds))
            for attempt, bounds in enumerate(delay_bounds(policy, _EXPLAINED), start=1)
        ],
    )


def print_delays(name: str, n_clients: int, *, seed: int, as_json: bool) -> None:
    """The delays of many clients for their first attempts, a row for each client.

    Raises:
        UnknownNameError: There is no such policy.
    """
    rows = first_delays(policy_named(name), n_clients, _EXPLAINED, seed=seed).tolist()
    if as_json:
        print_json(rows)
        return
    headers = ("client", *(f"delay {attempt}" for attempt in range(1, len(rows[0]) + 1)))
    print_table(headers, [(str(client), *_in_seconds(row)) for client, row in enumerate(rows)])


def _facts(policy: Policy, n_attempts: int) -> dict[str, Any]:
    return {
        "name": policy.name,
        "description": describe(policy),
        "delays": [
            {"attempt": attempt, "low": low, "high": high}
            for attempt, (low, high) in enumerate(delay_bounds(policy, n_attempts), start=1)
        ],
    }


def _settings(policy: Policy) -> dict[str, Any]:
    """The settings that make the policy what it is."""
    return policy.model_dump(mode="json", exclude_defaults=True)


def _range(bounds: tuple[float, float]) -> str:
    low, high = bounds
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def _in_seconds(row: Iterable[float]) -> list[str]:
    return [f"{wait:.3f}" for wait in row]
