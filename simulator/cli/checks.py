"""Conditions that a finished run is held to: `--fail-if`, and the objectives of its scenario."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from simulator.errors import InputError, UnknownNameError
from simulator.metrics import Condition, holds, parse_condition
from simulator.scenario import Objective

_WITH_POLICY = re.compile(r"\s*([^\s<>=!:]+)\s*:(.*)", re.DOTALL)

Summaries = Mapping[str, Mapping[str, Any]]
"""By the policy's label."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One condition, and whether it has to hold or must not."""

    text: str
    """As it was given."""
    condition: Condition | Objective
    must_hold: bool
    policy: str | None = None
    """The one policy that is meant; None for all."""

    def applies_to(self, label: str) -> bool:
        """Is this policy meant?"""
        return self.policy in (None, label)

    def verify(self, labels: Iterable[str], rehearsal: Mapping[str, Any]) -> None:
        """See beforehand whether the check makes sense.

        Args:
            labels: Of the policies that will run.
            rehearsal: A summary of a made-up run of the scenario.

        Raises:
            InputError: There is no such policy or metric, or it is never measured.
        """
        known = list(labels)
        if self.policy is not None and self.policy not in known:
            raise UnknownNameError(f"--fail-if {self.text!r}: policy", self.policy, known)
        try:
            holds(self.condition, rehearsal)
        except InputError as error:
            raise InputError(f"{self.text!r}: {error}") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a check under one policy."""

    check: Check
    policy: str
    measured: str
    """The metric's value, in words."""
    failed: bool
    error: str = ""
    """Why it could not be decided, if so."""

    def __str__(self) -> str:
        if self.error:
            return f"{self.check.text} ({self.policy}): {self.error}"
        verdict = "not met" if self.check.must_hold else "holds"
        return f"{self.check.text} ({self.policy}): {verdict}, measured {self.measured}"


def parse_check(text: str) -> Check:
    """Read `[POLICY:]METRIC OP VALUE`, which must not hold.

    Raises:
        InputError: It is not of that form, or there is no such metric.
    """
    match = _WITH_POLICY.fullmatch(text)
    policy, expression = match.groups() if match else (None, text)
    try:
        condition = parse_condition(expression)
    except InputError as error:
        raise InputError(f"--fail-if {text!r}: {error}") from None
    return Check(text=text, condition=condition, must_hold=False, policy=policy)


def check_of(objective: Objective) -> Check:
    """An objective of the scenario, which must hold for every policy."""
    text = f"{objective.metric} {objective.op} {objective.value:g}"
    return Check(text=f"objective {text}", condition=objective, must_hold=True)


def outcomes(checks: Iterable[Check], summaries: Summaries) -> list[Outcome]:
    """Every check under every policy that it is about."""
    return [
        _outcome(check, label, summary)
        for check in checks
        for label, summary in summaries.items()
        if check.applies_to(label)
    ]


def _outcome(check: Check, label: str, summary: Mapping[str, Any]) -> Outcome:
    try:
        failed = holds(check.condition, summary) != check.must_hold
    except InputError as error:
        return Outcome(check=check, policy=label, measured="", failed=False, error=str(error))
    value = reduce(lambda table, name: table[name], check.condition.metric.split("."), summary)
    return Outcome(check=check, policy=label, measured=_in_words(value), failed=failed)


def _in_words(value: Any) -> str:  # noqa: ANN401 - whatever a summary holds
    if value is None:
        return "null (not within the horizon)"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def write_junit(path: Path, suite: str, found: Iterable[Outcome]) -> None:
    """Write outcomes as JUnit XML, a test case for each.

    Args:
        path: The file; replaced if it exists.
        suite: Name of the suite.
        found: The outcomes.

    Raises:
        InputError: The file cannot be written.
    """
    cases = list(found)
    element = ET.Element(
        "testsuite",
        name=suite,
        tests=str(len(cases)),
        failures=str(sum(case.failed for case in cases)),
        errors=str(sum(bool(case.error) for case in cases)),
    )
    for case in cases:
        node = ET.SubElement(
            element, "testcase", classname=f"{suite}.{case.policy}", name=case.check.text
        )
        if case.failed or case.error:
            kind = "error" if case.error else "failure"
            ET.SubElement(node, kind, message=str(case)).text = str(case)
    try:
        ET.ElementTree(element).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise InputError(f"--junit = {path}: {error.strerror}") from None
