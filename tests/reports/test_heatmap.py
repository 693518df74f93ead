"""The heat map of a sweep: its colours, words and contour against the cells."""

import numpy as np
import pytest

from reports.figures.heatmap import Objective, borders, plot_heatmap
from simulator.sweeping.outcome import METRICS, outcome_of

METRIC = "time_to_recovery_p95"
AXES = {"n_clients": ("500", "1000", "2000"), "client.policy.base": ("0.50", "2")}
LOST = {0: 0, 1: 0, 2: 2, 3: 0, 4: 0, 5: 4}
"""Of four replications, by cell, those that did not recover."""


def rows_of(axes, lost):
    """Four replications of each cell, as a sweep records them; each cell slower than the last."""
    (x, across), (y, upwards), *_ = axes.items()
    values = [(one, other) for other in upwards for one in across]
    return [
        {
            "cell": cell,
            "replication": replication,
            "seed": replication,
            x: int(one),
            y: float(other),
            "n_episodes": 10,
            **dict.fromkeys(METRICS, None if replication < lost[cell] else 10.0 * cell),
        }
        for cell, (one, other) in enumerate(values)
        for replication in range(4)
        if cell in lost
    ]


def drawn(lost=LOST, **options):
    """The heat map of a sweep of two axes."""
    x, y = AXES
    return plot_heatmap(outcome_of(rows_of(AXES, lost), axes=AXES), x=x, y=y, **options)


def words(heat):
    """What is written into the cells."""
    return {values: text.get_text() for values, text in heat.words.items()}


def test_colours_are_the_shares_recovered_unless_a_metric_is_named():
    """A row of colours per value of y, the first lowest."""
    heat = drawn()
    np.testing.assert_array_equal(heat.image.get_array(), [[1, 1, 0.5], [1, 1, 0]])
    assert heat.image.get_clim() == (0, 1)
    assert heat.ax.get_ylim()[0] < heat.ax.get_ylim()[1]


def test_colours_are_means_of_a_metric_over_the_recovered():
    """Where nobody recovered there is no mean, and no colour that could be taken for one."""
    shown = drawn(metric=METRIC).image.get_array()
    np.testing.assert_array_equal(shown.filled(-1), [[0, 10, 20], [30, 40, -1]])


def test_every_cell_says_how_many_recovered():
    """With the metric below it, and in the words in which the axes were given."""
    heat = drawn(metric=METRIC)
    assert words(heat)["2000", "0.50"] == "2 of 4\n20"
    assert words(heat)["2000", "2"] == "0 of 4"
    assert [tick.get_text() for tick in heat.ax.get_yticklabels()] == ["0.50", "2"]


def test_cells_of_an_unfinished_sweep_are_not_run():
    """They are not taken for cells in which nobody recovered."""
    heat = drawn({0: 0, 1: 0})
    assert words(heat)["500", "2"] == "not run"
    assert heat.image.get_array().count() == 2
    assert "2 of 2 cells" in heat.ax.get_title(loc="left")


def test_the_contour_parts_cells_that_meet_the_objective_from_those_that_do_not():
    """Always back, in 30 s at most: the lower row but for its last cell, and the first above."""
    heat = drawn(metric=METRIC, objective=Objective(limit=30.0))
    edges = {tuple(map(tuple, edge)) for edge in heat.contour.get_segments()}
    assert edges == {
        ((1.5, -0.5), (1.5, 0.5)),
        ((0.5, 0.5), (0.5, 1.5)),
        ((0.5, 0.5), (1.5, 0.5)),
    }
    assert heat.ax.get_title(loc="left").startswith("3 of 6 cells reach")


def test_a_cell_that_recovers_too_seldom_misses_the_objective_however_fast_it_is():
    """Half of the replications took 20 s, the others for ever."""
    strict, lax = (
        drawn(metric=METRIC, objective=Objective(recovered=share, limit=20.0))
        for share in (0.75, 0.5)
    )
    assert strict.ax.get_title(loc="left").startswith("2 of 6")
    assert lax.ax.get_title(loc="left").startswith("3 of 6")


@pytest.mark.parametrize("everywhere", [True, False])
def test_there_is_no_border_where_all_cells_are_alike(everywhere):
    """Neither inside, nor round the map."""
    assert borders(np.full((3, 4), everywhere)) == []


def test_further_axes_take_one_value_each():
    """Only cells with that value are shown, and the title says which it is."""
    (x, y), axes = AXES, {**AXES, "policy": ("fixed", "mine")}
    rows = [{**row, "policy": "fixed"} for row in rows_of(AXES, LOST)]
    rows += [
        {**row, "cell": row["cell"] + 6, "policy": "mine"}
        for row in rows_of(AXES, dict.fromkeys(LOST, 0))
    ]
    outcome = outcome_of(rows, axes=axes)
    heat = plot_heatmap(outcome, x=x, y=y, others={"policy": "mine"})
    np.testing.assert_array_equal(heat.image.get_array(), np.ones((2, 3)))
    assert heat.ax.get_title(loc="left").endswith("policy mine")
    with pytest.raises(ValueError, match="every axis"):
        plot_heatmap(outcome, x=x, y=y)


def test_an_unknown_metric_is_refused():
    """By name."""
    with pytest.raises(ValueError, match="'speed'"):
        drawn(metric="speed")
