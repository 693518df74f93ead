"""What is played: a scenario, what users do meanwhile, and what kind of wire lies in between."""

import tomllib
from dataclasses import dataclass, replace
from typing import NamedTuple

import tomli_w

from server_stub.outage import OutageKind
from simulator.scenario import Scenario, parse


class Act(NamedTuple):
    """Something that a client's user or machine does."""

    at: float
    """Seconds on the run's clock."""
    client: int
    what: str
    """"text", "big-text", "operation" (an invalid one), "offline", "online", "hide", "show" or
    "close"."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One test."""

    scenario: Scenario
    """Its outages are counted from the clock's start, the ramp included."""
    acts: tuple[Act, ...] = ()
    latency: float = 0.0
    """Seconds that bytes travel at most, each way; 0 for a network that delivers at once."""
    piece: int | None = None
    """Bytes that arrive at once, at most; None for all of them."""

    @property
    def calm_at(self) -> float:
        """When the last outage has healed, whoever was forgotten knows, and all acts are over."""
        beats = [cohort.heartbeat for cohort in self.scenario.cohorts if cohort.heartbeat]
        forgets = any(outage.kind is OutageKind.IDLE_TIMEOUT for outage in self.scenario.outage)
        dead_for = max([beat.interval + beat.timeout for beat in beats] if forgets else [0.0])
        return max(
            [self.scenario.last_outage_end + dead_for, *(act.at for act in self.acts)],
        )

    def with_scenario(self, **changes: object) -> "Schedule":
        """The same with another scenario, checked anew.

        Raises:
            ScenarioError: The changes do not fit together.
        """
        fields = {
            field: getattr(self.scenario, field) for field in type(self.scenario).model_fields
        }
        return replace(self, scenario=Scenario(**{**fields, **changes}))

    def to_toml(self) -> str:
        """The whole schedule; `from_toml` reads it back, and `python -m tests.faults` plays it."""
        scenario = self.scenario.model_dump(mode="json", exclude_defaults=True)
        fields = {
            "wire": {"latency": self.latency, "piece": self.piece},
            "act": [act._asdict() for act in self.acts],
            "scenario": scenario,
        }
        return tomli_w.dumps(_without_none(fields))

    @classmethod
    def from_toml(cls, text: str) -> "Schedule":
        """Read a schedule that was written by `to_toml`."""
        data = tomllib.loads(text)
        return cls(
            scenario=parse(data["scenario"], source="schedule"),
            acts=tuple(Act(**act) for act in data.get("act", ())),
            **data["wire"],
        )


def _without_none(value):
    """A value without the fields that are not set, and without empty lists; TOML has no null."""
    if isinstance(value, dict):
        return {
            key: _without_none(inner) for key, inner in value.items() if inner not in (None, [])
        }
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value
