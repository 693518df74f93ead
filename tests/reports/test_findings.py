"""What stands out, by rule."""

from dataclasses import replace

import pytest

from reports.findings import findings
from simulator.metrics import summarise


def texts(result, **changes):
    """The sentences found in a run, some of whose metrics are changed."""
    return [finding.text for finding in findings(result, summarise(result) | changes)]


def about(result, word, **changes):
    """The one sentence that holds a word."""
    (text,) = [text for text in texts(result, **changes) if word in text]
    return text


def test_lockstep_is_told_with_its_width_and_its_instant(lockstep):
    """Who tried together, and when."""
    assert about(lockstep(), "as one") == (
        "All 20 clients tried at the same instant, second 3.0: the herd moves as one."
    )


def test_a_burst_is_as_wide_as_it_took_to_send(lockstep):
    """On a real machine; beyond a quarter of a second it is no burst any more."""

    def sent_over(width):
        run = lockstep()
        late = run.attempts["client"] * width / 19 * (run.attempts["episode"] > 0)
        attempts = run.attempts | {"started_at": run.attempts["started_at"] + late}
        return texts(replace(run, attempts=attempts))

    assert "All 20 clients tried within 40 ms of second 3.0: the herd moves as one." in sent_over(
        0.04
    )
    assert not [text for text in sent_over(1.9) if "as one" in text]


def test_a_crowd_of_few_is_no_herd(lockstep):
    """One client cannot move as one."""
    assert not [text for text in texts(lockstep(n_lost=1)) if "as one" in text]


def test_who_is_still_down_is_counted(lockstep):
    """In clients and as a share."""
    assert about(lockstep(n_back=5), "still had") == (
        "15 clients (75 %) still had no connection at the end."
    )


def test_a_storm_is_as_wide_as_arrivals_exceed_the_capacity(lockstep):
    """In seconds, with the worst of them."""
    assert about(lockstep(), "more arrived") == (
        "For 1.0 s after the outage more arrived than the 10/s that the server can take, at worst "
        "20/s (2.0 times as many)."
    )


@pytest.mark.parametrize(
    ("word", "changes", "text"),
    [
        ("outlives", {"metastable": True}, "more than the 10/s arrive"),
        ("gone", {"wasted_share": 0.04}, None),
        ("given up", {"wasted_share": 0.83}, "83 % of the service"),
        ("untouched", {"n_healthy_lost": 0}, None),
        ("starved", {"n_healthy_lost": 7}, "7 connections broke that no outage had touched"),
        ("noticed", {"detection_time_p99": 34.0}, "noticed its loss only after 34.0 s"),
        ("never reached", {"n_events_missed": 12, "unmeasured": []}, "12 events"),
        ("refreshes", {"n_full_refresh": 9, "unmeasured": []}, "9 full refreshes"),
        ("last client", {"time_to_recovery_p100": 9.0}, "9.0 s after the outage"),
        ("turned away", {"turned_away": {"backlog": 5, "admission": 2}}, "7 of 20 arrivals"),
    ],
)
def test_each_rule_speaks_when_it_should(lockstep, word, changes, text):
    """And gives its number; below its threshold it is silent."""
    found = [found for found in texts(lockstep(), **changes) if word in found]
    assert len(found) == (text is not None)
    assert all(text in one for one in found)


def test_each_finding_names_what_it_rests_on(lockstep):
    """So that anybody can look it up."""
    result = lockstep(n_back=5)
    assert all(finding.rests_on for finding in findings(result, summarise(result)))


def test_an_idle_fleet_has_none(lockstep):
    """Nothing happened."""
    assert texts(lockstep(outage=False)) == []
