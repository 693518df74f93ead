"""What got worse since an earlier recording."""

import pytest

from reports.baseline import worse
from simulator.errors import InputError


def changes(now, before):
    """The names of what got worse."""
    return [change.what for change in worse({"now": now}, {"before": before})]


def test_the_same_is_not_worse(lockstep):
    """However noisy the metric."""
    assert changes(lockstep(), lockstep()) == []


def test_who_does_not_come_back_is_missed(lockstep):
    """And better is not worse."""
    full, part = lockstep(n_clients=100, n_back=100), lockstep(n_clients=100, n_back=60)
    assert "clients back" in changes(part, full)
    assert "clients back" not in changes(full, part)


def test_a_difference_within_the_noise_is_none(lockstep):
    """One client in twenty may stay away by chance."""
    assert changes(lockstep(n_back=19), lockstep()) == []


def test_what_cannot_be_compared_does_not_pass(lockstep):
    """A run that was cut short shows nothing."""
    (change,) = worse({"a": lockstep(manifest={"interrupted": True})}, {"a": lockstep()})
    assert str(change) == "a: whether it can be compared was ok, is cut short"


def test_policies_are_compared_by_name(lockstep):
    """At least one must be in both."""
    run = lockstep()
    assert worse({"a": run, "b": run}, {"b": run, "c": run}) == ()
    with pytest.raises(InputError, match="no policy in common with the run; it has c, d"):
        worse({"a": run, "b": run}, {"c": run, "d": run})
