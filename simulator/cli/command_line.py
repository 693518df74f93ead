"""The command line that makes a run, for its record: spelt out, without what must not be kept."""

import shlex
from collections.abc import Iterator
from dataclasses import fields

from simulator.cli.options import Aim, Asked

_SECRET = ("header",)
"""Options whose values may be passwords."""


def command_line(command: str, asked: Asked) -> str:
    """What to type to get the same again, wherever its records then go.

    Args:
        command: "run" or "compare".
        asked: The options as they were given.
    """
    words = ["herd", command, *([asked.scenario] if asked.scenario else [])]
    words += ["--engine", asked.engine]
    if asked.clients is not None:
        words += ["--clients", str(asked.clients)]
    for policy in asked.policy or ():
        words += ["--policy", policy]
    if asked.seed is not None:
        words += ["--seed", str(asked.seed)]
    for change in asked.changes or ():
        words += ["--set", change]
    return shlex.join([*words, *_about_target(asked.aim)])


def _about_target(aim: Aim) -> Iterator[str]:
    for field in fields(aim):
        value = getattr(aim, field.name)
        if value == field.default:
            continue
        option = f"--{field.name.replace('_', '-')}"
        if value is True:
            yield option
        elif field.name in _SECRET:
            yield from (word for one in value for word in (option, f"{one.partition(':')[0]}: ..."))
        elif isinstance(value, list):
            yield from (word for one in value for word in (option, one))
        else:
            # The query of a URL may hold a secret.
            yield from (option, str(value).partition("?")[0])
