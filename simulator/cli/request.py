"""From the shared options to something that can run, with every mistake in them at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TypeVar

from simulator.cli.checks import Check, check_of, parse_check
from simulator.cli.options import Aim, Asked, changes_of
from simulator.core.backoff import Policy
from simulator.core.policies import NAMED
from simulator.errors import InputError, UnknownNameError
from simulator.experiment import (
    ENGINES,
    check_reach,
    herds_to_compare,
    label_policies,
    new_directory,
)
from simulator.own_policies import policy_named
from simulator.rehearsal import rehearse
from simulator.scenario import Scenario
from simulator.scenario_files import AT_TARGET, DEFAULT, load_scenario
from simulator.target import Target, aim
from simulator.target_fit import as_applied, check_fit

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a running command is to do; all that could be checked beforehand has been."""

    scenario: Scenario
    policies: Sequence[Policy]
    """Those to compare, where the user named any."""
    labels: Sequence[str]
    """What the runs are called."""
    checks: Sequence[Check]
    directory: Path
    target: Target | None
    """The server, if it is not herd's."""


class Mistakes:
    """Collects what is wrong, so that one call reports it all."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def caught(self, step: Callable[[], T]) -> T | None:
        """The step's value; None if the input was not fit for it, which is then noted."""
        try:
            return step()
        except InputError as error:
            self._lines.append(str(error))
            return None

    def raise_any(self) -> None:
        """Report what was noted.

        Raises:
            InputError: With all of it, a line for each.
        """
        if self._lines:
            raise InputError("\n".join(self._lines))


def prepare(asked: Asked, *, several: bool) -> Request:
    """Turn options into a request.

    Args:
        asked: The options.
        several: Does the command run several policies, or one?

    Raises:
        InputError: With every mistake, a line for each.
    """
    mistakes = Mistakes()
    mistakes.caught(partial(_check_options, asked, several=several))
    mistakes.caught(partial(check_junit, asked.junit))
    mistakes.caught(partial(_check_engine, asked.engine))
    target = mistakes.caught(partial(_target, asked.aim))
    mistakes.caught(partial(check_reach, asked.engine, target))
    source = asked.scenario or (DEFAULT if asked.aim.target is None else AT_TARGET)
    changes = changes_of(asked.changes, clients=asked.clients, seed=asked.seed)
    scenario = mistakes.caught(partial(load_scenario, source, changes=changes))
    known = (
        {**NAMED, **{policy.label: policy for policy in scenario.compare}} if scenario else NAMED
    )
    named = [mistakes.caught(partial(policy_named, name, known)) for name in asked.policy or ()]
    chosen = [policy for policy in named if policy is not None]
    parsed = [mistakes.caught(partial(parse_check, text)) for text in asked.fail_if or ()]
    checks = [check for check in parsed if check is not None]
    if scenario is None:
        mistakes.raise_any()
        raise RuntimeError("there is no scenario, yet nothing is wrong with it")
    if asked.junit is not None and not (asked.fail_if or scenario.objective):
        mistakes.caught(partial(refuse_empty_junit, asked.junit))
    if chosen and not several:
        scenario = scenario.with_policy(chosen[0])
    herds = herds_to_compare(scenario, chosen) if several else _alone(scenario)
    if target is not None:
        mistakes.caught(partial(check_fit, target, *herds.values()))
    checks += map(check_of, scenario.objective)
    if checks:
        staged = scenario if target is None else as_applied(scenario)
        rehearsal = rehearse(staged, target=asked.aim.target)
        for check in checks:
            mistakes.caught(partial(check.verify, herds, rehearsal))
    mistakes.raise_any()
    return Request(
        scenario=scenario,
        policies=chosen,
        labels=list(herds),
        checks=checks,
        directory=asked.out or new_directory(scenario, asked.engine),
        target=target,
    )


def _target(asked: Aim) -> Target | None:
    """The server that is meant, if not herd's own.

    Raises:
        InputError: It cannot be used, or an option that is about it has no effect.
    """
    if asked.target is None:
        given = [
            field.name for field in fields(asked) if getattr(asked, field.name) != field.default
        ]
        if given:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise InputError(f"{options}: no effect without --target")
        return None
    return aim(
        asked.target,
        allow_host=asked.allow_host,
        max_clients=asked.max_clients,
        max_connects=asked.max_connects,
        restart_command=asked.restart_command,
        identify=asked.identify,
        headers=asked.header or (),
        subprotocols=asked.subprotocol or (),
        cafile=asked.cafile,
        insecure=asked.insecure,
    )


def _check_options(asked: Asked, *, several: bool) -> None:
    """Refuse what could only be ignored.

    Raises:
        InputError: An option has no effect beside the others.
    """
    policies = asked.policy or []
    if not several and len(policies) > 1:
        raise InputError(
            f"--policy = {', '.join(policies)}: herd run takes one; herd compare takes several"
        )
    for change in asked.changes or ():
        field = change.partition("=")[0].strip()
        if (several or policies) and "policy" in field.split("."):
            raise InputError(
                f"--set {field}: has no effect where every cohort's policy is replaced; "
                f"allowed: the fields of compare, as in compare.0.base=2, without --policy"
                if several
                else f"--set {field}: has no effect beside --policy, which replaces the policy"
            )
        if several and policies and field.split(".")[0] == "compare":
            raise InputError(
                f"--set {field}: has no effect beside --policy, which replaces what is compared"
            )


def _check_engine(name: str) -> None:
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)


def check_junit(path: Path | None) -> None:
    """See that a report can be written.

    Raises:
        InputError: It cannot.
    """
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"--junit = {path}: is a directory; allowed: a file")
    if not path.parent.is_dir():
        raise InputError(f"--junit = {path}: there is no directory {path.parent}")


def refuse_empty_junit(path: Path) -> None:
    """A report without conditions is a mistake.

    Raises:
        InputError: Always.
    """
    raise InputError(
        f"--junit = {path}: there is no condition to report on; allowed: together with --fail-if, "
        "or with a scenario that has an [[objective]]"
    )


def _alone(scenario: Scenario) -> Mapping[str, Scenario]:
    """A single run by what it is called: its policy or, if cohorts differ in it, the first one."""
    return dict.fromkeys(label_policies([scenario.cohorts[0].policy]), scenario)
