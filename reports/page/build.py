"""A page from the results of a run or a comparison."""

from collections.abc import Mapping
from pathlib import Path

from reports.decision import Kind, decide
from reports.findings import Finding, findings_by_policy
from reports.page.content import DataTable, Group, Item, Page, Picture, Section, Tone
from reports.page.details import cohorts_table, outages_table, policies_table, stages_table
from reports.page.facts import first_facts
from reports.page.methods import methods
from reports.reading import Summary
from reports.repeating import repeating
from reports.wording import setting
from simulator.results import RunResult

_FIRST = "recovery"
"""The figure that goes with the decision."""
_TONES: Mapping[Kind, Tone] = {Kind.SHIP: "good", Kind.NONE: "bad", Kind.REFUSED: "plain"}


def page_of(
    results: Mapping[str, RunResult],
    summaries: Mapping[str, Summary],
    pictures: Mapping[str, Picture],
    *,
    directory: Path,
) -> Page:
    """What there is to say of a run, or of a comparison.

    Args:
        results: By policy; one at least.
        summaries: By policy.
        pictures: The standard figures by name.
        directory: Where it was recorded.
    """
    decision = decide(summaries)
    commands = repeating(results, directory)
    first = next(iter(results.values()))
    sections = [
        Section(
            key="numbers",
            title="The policies compared" if len(results) > 1 else "The numbers",
            tables=(policies_table(summaries),),
        ),
        _findings(results, summaries),
        Section(
            key="figures",
            title="Figures",
            pictures=tuple(picture for name, picture in pictures.items() if name != _FIRST),
        ),
        *_details(results, summaries),
        methods(results),
    ]
    manifest = first.manifest
    return Page(
        about=(
            f"{manifest.scenario}, {manifest.engine} engine: {setting(first)}, seed {manifest.seed}"
        ),
        headline=decision.headline,
        reason=decision.reason,
        tone=_TONES[decision.kind],
        facts=first_facts(decision, results, summaries, commands),
        picture=pictures.get(_FIRST),
        commands=commands,
        no_command="" if commands else "No command repeats it: the clients were your own.",
        sections=tuple(sections),
        made_by=f"herd {manifest.herd_version}",
    )


def _findings(results: Mapping[str, RunResult], summaries: Mapping[str, Summary]) -> Section:
    found = findings_by_policy(results, summaries)
    several = len(results) > 1
    return Section(
        key="findings",
        title="What stands out",
        text="" if any(found.values()) else "Nothing: no rule found anything worth a word.",
        groups=tuple(
            Group(title=name if several else "", items=tuple(map(_item, its)))
            for name, its in found.items()
            if its
        ),
    )


def _item(finding: Finding) -> Item:
    return Item(
        text=finding.text, basis=finding.rests_on, tone="bad" if finding.is_bad else "plain"
    )


def _details(
    results: Mapping[str, RunResult], summaries: Mapping[str, Summary]
) -> tuple[Section, ...]:
    parts: dict[str, tuple[str, DataTable | None]] = {
        "outages": ("Outage by outage", outages_table(results, summaries)),
        "cohorts": ("Cohort by cohort", cohorts_table(summaries)),
        "stages": ("Stage by stage", stages_table(summaries)),
    }
    return tuple(
        Section(key=key, title=title, tables=(table,))
        for key, (title, table) in parts.items()
        if table is not None
    )
