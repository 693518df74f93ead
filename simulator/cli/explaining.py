"""What `herd policies NAME` prints: one policy, its delays, its grade and where they come from."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from simulator.cli.listing import Listed, facts, in_range, listed
from simulator.cli.printing import print_json, print_pairs, print_table
from simulator.core.backoff import Policy, describe
from simulator.core.presets import PRESETS, Preset
from simulator.core.preview import first_delays
from simulator.errors import InputError
from simulator.experiment import RUNS, label_policies
from simulator.grading import in_words
from simulator.own_policies import policy_named
from simulator.recorded_delays import SUFFIX
from simulator.scenario import ClientConfig

_EXPLAINED = 12
"""Attempts whose delays are shown."""
_WIDTH = 96
"""Characters of a line of text."""
_FORMATS = (".png", ".svg", ".pdf")


def explain_policy(name: str, *, figure: Path | None, as_json: bool) -> None:
    """One policy: what it does, as TOML to start from, its delays, its grade and a figure.

    Args:
        name: Of the policy.
        figure: The file to draw it into. Unless given, a file below `herd-runs` named after it,
            or none if JSON is asked for.
        as_json: Print JSON.

    Raises:
        UnknownNameError: There is no such policy.
        InputError: The figure cannot be written.
    """
    policy = policy_named(name)
    _check_format(figure)
    row = listed(name, policy, n_delays=_EXPLAINED)
    preset = PRESETS.get(name)
    if as_json:
        if figure is not None:
            _draw(row, figure)
        print_json(
            {
                **facts(row),
                **_origin(preset),
                "settings": _settings(policy),
                "figure": None if figure is None else str(figure),
            }
        )
        return
    typer.echo(f"{name}: {describe(policy)}\n")
    print_pairs(_about(row, preset))
    typer.echo("\nAs a table of a scenario, to start from:\n")
    typer.echo(_as_toml(name, policy))
    print_table(
        ("attempt", "delay (s)"),
        [(str(attempt), in_range(bounds)) for attempt, bounds in enumerate(row.delays, start=1)],
    )
    if len(row.delays) < _EXPLAINED:
        typer.echo(f"\nAfter {len(row.delays)} attempts without success it gives up.")
    file = figure or RUNS / "policies" / f"{next(iter(label_policies([policy])))}.png"
    _draw(row, file)
    typer.echo(f"\nFigure in {file}")


def print_delays(name: str, n_clients: int, *, seed: int, as_json: bool) -> None:
    """The delays of many clients for their first attempts, a row for each client.

    Raises:
        UnknownNameError: There is no such policy.
    """
    rows = first_delays(policy_named(name), n_clients, _EXPLAINED, seed=seed).tolist()
    if as_json:
        print_json(rows)
        return
    n_columns = max(map(len, rows))
    print_table(
        ("client", *(f"delay {attempt}" for attempt in range(1, n_columns + 1))),
        [
            (str(client), *(f"{wait:.3f}" for wait in row), *("-" * (n_columns - len(row))))
            for client, row in enumerate(rows)
        ],
    )
    if n_columns < _EXPLAINED:
        typer.echo(f"\nAfter {n_columns} attempts without success it gives up.")


def _about(row: Listed, preset: Preset | None) -> Iterator[tuple[str, str]]:
    if preset is not None:
        yield "library", f"{preset.library} {preset.version}, {preset.licence}"
        yield from _wrapped("source", preset.source)
        yield from _wrapped("rule", preset.rule)
        yield from _wrapped("in a storm", preset.storm)
    yield from _wrapped("grade", in_words(row.grade))


def _wrapped(name: str, text: str) -> Iterator[tuple[str, str]]:
    for place, line in enumerate(textwrap.wrap(text, _WIDTH)):
        yield ("" if place else name), line


def _origin(preset: Preset | None) -> dict[str, Any]:
    """Where a preset comes from and its other habits; null for what a basic policy lacks."""
    fields = ("library", "version", "licence", "source", "rule", "storm")
    client = {} if preset is None else ClientConfig(policy=preset.policy).model_dump(mode="json")
    return {
        **{field: getattr(preset, field, None) for field in fields},
        "client": {field: client[field] for field in (preset.client if preset else ())} or None,
    }


def _settings(policy: Policy) -> dict[str, Any]:
    """The settings that make the policy what it is."""
    return policy.model_dump(mode="json", exclude_defaults=True)


def _as_toml(name: str, policy: Policy) -> str:
    """The policy as `[client.policy]`; one with recorded delays refers to them."""
    settings = {"name": name} if name.endswith(SUFFIX) else _settings(policy)
    # Numbers, truth values, text and lists of them look the same in TOML, but tomli-w would give
    # every number of a list a line of its own.
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items())
    return "\n".join(["[client.policy]", *lines, ""])


def _check_format(figure: Path | None) -> None:
    if figure is not None and figure.suffix not in _FORMATS:
        raise InputError(f"--figure = {figure}: allowed: a name that ends in {', '.join(_FORMATS)}")


def _draw(row: Listed, file: Path) -> None:
    from reports.drawing import draw_policy  # noqa: PLC0415 - matplotlib, which bad input never needs

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draw_policy(row.policy, file, name=row.name, n_attempts=_EXPLAINED)
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror})") from None
