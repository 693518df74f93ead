"""Which HTTP statuses end reconnecting."""

import pytest
from pydantic import ValidationError

from simulator.core.statuses import StatusRules


def test_none_does_unless_it_is_named():
    """A browser does not tell its page the status."""
    assert not any(StatusRules().ends(status) for status in range(200, 600))


def test_statuses_are_named_one_by_one_or_from_one_to_another():
    """Both ends of a range belong to it."""
    rules = StatusRules(end=(404, "500-502"))
    assert [status for status in range(200, 600) if rules.ends(status)] == [404, 500, 501, 502]


def test_an_attempt_without_an_answer_has_no_status():
    """A refusal, a reset and a timeout are retried, whatever the statuses."""
    assert not StatusRules(end=("200-599",)).ends(None)


@pytest.mark.parametrize("entry", [101, 600, "503", "599-500", "all", 4.29])
def test_other_entries_are_refused(entry):
    """101 is a connection, and a text is a range."""
    with pytest.raises(ValidationError):
        StatusRules(end=(entry,))
