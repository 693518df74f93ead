"""Where scenarios come from: TOML files, the built-in ones, and changes made on the way."""

import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from server_stub.problems import Problem
from simulator.errors import ScenarioError, UnknownNameError
from simulator.scenario import Scenario, parse

DEFAULT = "restart"
AT_TARGET = "own-server"
"""The scenario for a server that is not herd's, unless one is named."""
_NAMED = {"policy": "name", "compare": "name", "stages": "shape"}
"""Fields that hold policies, or stages, by name or as tables; and where a table has the name."""


def builtin_scenarios() -> dict[str, str]:
    """The built-in scenarios' TOML by name, comments included."""
    folder = resources.files("simulator.scenarios")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".toml")),
        key=lambda file: file.name,
    )
    return {file.name.removesuffix(".toml"): file.read_text(encoding="utf-8") for file in files}


def load_scenario(
    source: str | Path | Scenario = DEFAULT,
    *,
    changes: Iterable[str] = (),
) -> Scenario:
    """Read a scenario from a TOML file or by its built-in name.

    Args:
        source: A path, a name, or a scenario to change.
        changes: `FIELD=VALUE`, with a dotted path as FIELD and VALUE as in TOML; a word needs no
            quotes. A number picks an entry of a list (`outage.0.down_for`); without one, all of
            its entries are meant.

    Raises:
        ScenarioError: With every mistake in it.
        UnknownNameError: There is no such file or built-in scenario.
    """
    data, origin = _read(source)
    for change in changes:
        _apply(data, change)
    return parse(data, source=origin)


def _read(source: str | Path | Scenario) -> tuple[dict[str, Any], str]:
    if isinstance(source, Scenario):
        return tomllib.loads(source.to_toml()), source.name
    builtin = builtin_scenarios()
    if str(source) in builtin:
        return tomllib.loads(builtin[str(source)]), str(source)
    path = Path(source)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), str(path)
    except FileNotFoundError:
        raise UnknownNameError("scenario", str(source), builtin) from None
    except OSError as error:
        problem = Problem(place="file", value="", allowed=str(error.strerror))
        raise ScenarioError(str(path), [problem]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = Problem(place="TOML", value="", allowed=str(error))
        raise ScenarioError(str(path), [problem]) from None


def _apply(data: dict[str, Any], change: str) -> None:
    """Put one change into a scenario's data."""
    field, equals, text = change.partition("=")
    steps = field.strip().split(".")
    if not equals or not all(steps):
        problem = Problem(
            place=change, value="", allowed="allowed: FIELD=VALUE, such as n_clients=500"
        )
        raise ScenarioError("--set", [problem])
    _put(data, steps, _value(text.strip()), field=field.strip())


def _value(text: str) -> Any:  # noqa: ANN401 - whatever TOML can hold
    """A value as TOML writes it, or the word as it stands."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(node: Any, steps: list[str], value: Any, *, field: str) -> None:  # noqa: ANN401
    """Set what the path leads to; tables on the way come into being, names become tables."""
    step, *rest = steps
    if isinstance(node, list):
        for entry in _entries(node, step, field):
            _put(entry, rest if step.isdigit() else steps, value, field=field)
    elif not isinstance(node, dict):
        problem = Problem(place=field, value="", allowed="there is no table to set it in")
        raise ScenarioError("--set", [problem])
    elif not rest:
        node[step] = value
    else:
        inner = node.setdefault(step, {})
        if step in _NAMED:
            inner = node[step] = _as_tables(inner, _NAMED[step])
        _put(inner, rest, value, field=field)


def _entries(node: list[Any], step: str, field: str) -> list[Any]:
    if not step.isdigit():
        return node
    if int(step) >= len(node):
        problem = Problem(place=field, value="", allowed=f"allowed: an index below {len(node)}")
        raise ScenarioError("--set", [problem])
    return [node[int(step)]]


def _as_tables(value: Any, key: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """What is given by name as the table that starts from that name, alone or in a list."""
    if isinstance(value, list):
        return [_as_tables(entry, key) for entry in value]
    return {key: value} if isinstance(value, str) else value
