"""Tasks are done by worker processes, some of which die."""

import pytest

from simulator.sweeping.crew import WorkerDiedError, local_crew, results
from tests.simulator.sweeping.workers import die_at_three, die_once, fail_at_three, square


@pytest.fixture(scope="module")
def crew():
    """Two workers, who stay as long as they live."""
    with local_crew(2) as found:
        yield found


def test_a_task_that_fails_is_told_and_the_others_go_on(crew):
    """Each once, and with what it failed with."""
    done = {one.task: one for one in results(crew, fail_at_three, list(range(6)))}
    assert len(done) == 6
    assert str(done[3].error) == "three is right out"
    assert [one.result for n, one in sorted(done.items()) if n != 3] == [0, 1, 4, 16, 25]


def test_a_task_whose_worker_dies_is_done_again(crew, tmp_path):
    """And so is whatever else was lost with it."""
    tasks = [(str(tmp_path), number) for number in range(6)]
    done = list(results(crew, die_once, tasks))
    assert sorted(one.result for one in done) == [0, 1, 4, 9, 16, 25]


def test_a_task_that_takes_every_worker_with_it_is_given_up(crew):
    """It alone."""
    done = {one.task: one for one in results(crew, die_at_three, list(range(6)))}
    assert isinstance(done[3].error, WorkerDiedError)
    assert [one.result for n, one in sorted(done.items()) if n != 3] == [0, 1, 4, 16, 25]


def test_no_tasks_are_none(crew):
    """Nobody is hired."""
    assert list(results(crew, square, [])) == []
