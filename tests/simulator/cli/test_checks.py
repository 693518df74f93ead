"""Conditions on runs, and their JUnit file."""

from xml.etree import ElementTree as ET

from simulator.cli.checks import outcomes, parse_check, write_junit
from simulator.metrics import summarise


def test_junit(tmp_path, recovered):
    """There is a test case per condition and policy; a failure says what was measured."""
    summary = summarise(recovered)
    summaries = {"fixed": summary, "linear": {**summary, "time_to_recovery_p95": None}}
    checks = [
        parse_check("time_to_recovery_p95 > 20"),
        parse_check("linear: recovered_share < 1"),
        parse_check("fixed:verdict == ok"),
    ]
    write_junit(tmp_path / "junit.xml", "herd.restart", outcomes(checks, summaries))
    suite = ET.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "2", "0")
    cases = [
        (case.get("classname"), case.get("name"), [node.get("message") for node in case])
        for case in suite
    ]
    assert cases == [
        ("herd.restart.fixed", "time_to_recovery_p95 > 20", []),
        (
            "herd.restart.linear",
            "time_to_recovery_p95 > 20",
            ["time_to_recovery_p95 > 20 (linear): holds, measured null (not within the horizon)"],
        ),
        ("herd.restart.linear", "linear: recovered_share < 1", []),
        (
            "herd.restart.fixed",
            "fixed:verdict == ok",
            ["fixed:verdict == ok (fixed): holds, measured ok"],
        ),
    ]
