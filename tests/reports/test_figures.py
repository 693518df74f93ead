"""Figures: their artists and the data in them."""

from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from reports.figures import (
    plot_arrivals,
    plot_cohorts,
    plot_nodes,
    plot_raster,
    plot_recoveries,
    plot_recovery,
    plot_states,
    plot_storm,
)
from reports.figures.states import _STEPS
from reports.style import LIGHT_GREY, OUTCOME_COLOURS, STATE_COLOURS, policy_colours
from simulator.core.outcomes import Outcome
from simulator.metrics.door import Met, arrivals_met
from simulator.metrics.nodes import connections_by_node
from simulator.metrics.series import attempt_rate, share_connected
from simulator.metrics.states import FleetState, fleet_states


def labels(legend):
    """The words of a legend."""
    return [text.get_text() for text in legend.get_texts()]


def span(rectangle):
    """From where to where a span is shaded."""
    return (rectangle.get_x(), rectangle.get_x() + rectangle.get_width())


class TestStorm:
    """`plot_storm`."""

    def test_draws_one_panel_per_policy_on_common_axes(self, pair):
        """Panels stand in the order of the comparison, with the same limits on both axes."""
        storm = plot_storm(pair)
        assert list(storm.panels) == list(pair)
        assert storm.figure.axes == [panel.ax for panel in storm.panels.values()]
        assert {panel.ax.get_xlim() for panel in storm.panels.values()} == {(0.0, 10.0)}
        assert len({panel.ax.get_ylim() for panel in storm.panels.values()}) == 1

    def test_stacks_the_attempt_rate_by_outcome(self, pair):
        """Each outcome stands on the ones before; the top of the stack is the total."""
        panel = plot_storm(pair).panels["fixed"]
        rate = attempt_rate(pair["fixed"])
        assert list(panel.stack) == [Outcome.CONNECTED, Outcome.REFUSED, Outcome.TIMED_OUT]
        for outcome, patch in panel.stack.items():
            data = patch.get_data()
            np.testing.assert_allclose(data.values - data.baseline, rate.by_outcome[outcome])
            np.testing.assert_allclose(data.edges, rate.edges)
            assert to_hex(patch.get_facecolor()) == OUTCOME_COLOURS[outcome].lower()
        np.testing.assert_allclose(data.values, rate.total)

    def test_marks_outage_capacity_and_the_end_of_the_run(self, pair):
        """The outage is shaded from start to end, and what was not observed is hatched."""
        storm = plot_storm(pair)
        fixed, exponential = storm.panels["fixed"], storm.panels["exponential"]
        assert [span(outage) for outage in fixed.frame.outages] == [(2.0, 4.0)]
        assert fixed.capacity.get_ydata() == [10.0, 10.0]
        assert "capacity\n10/s" in {text.get_text() for text in fixed.ax.texts}
        assert "outage" in {text.get_text() for text in fixed.ax.texts}
        assert span(fixed.frame.unobserved) == (8.0, 10.0)
        assert exponential.frame.unobserved is None

    def test_marks_a_cut_path_as_such(self, lockstep):
        """It is shaded as an outage is, but the server was not down."""
        storm = plot_storm({"fixed": lockstep(kind="network")})
        panel = storm.panels["fixed"]
        assert [span(cut) for cut in panel.frame.outages] == [(2.0, 4.0)]
        words = {text.get_text() for text in panel.ax.texts}
        assert "network cut" in words
        assert "outage" not in words
        assert "network down for 2.0 s" in storm.figure.get_suptitle()

    def test_draws_no_capacity_that_nobody_knows(self, lockstep):
        """A server that is not herd's does not tell it; the scale then fits the attempts."""
        manifest = {"target": "ws://localhost:8000/"}
        panel = plot_storm({"fixed": lockstep(server=False, manifest=manifest)}).panels["fixed"]
        assert panel.capacity is None
        assert not any("capacity" in text.get_text() for text in panel.ax.texts)
        assert panel.ax.get_ylim()[1] == pytest.approx(1.35 * 200)

    @pytest.mark.parametrize(
        ("kind", "word", "setting"),
        [
            ("drain", "drain", "server down for 2.0 s"),
            ("cold", "outage", "server down for 2.0 s"),
            ("slow", "slow", "server slow for 2.0 s"),
            ("idle_timeout", "idle timeout", "idle connections forgotten for 2.0 s"),
        ],
    )
    def test_says_what_kind_of_trouble_it_was(self, lockstep, kind, word, setting):
        """Over the span, and in the heading."""
        storm = plot_storm({"fixed": lockstep(kind=kind)})
        assert word in {text.get_text() for text in storm.panels["fixed"].ax.texts}
        assert setting in storm.figure.get_suptitle()

    def test_says_what_is_seen_in_numbers(self, pair):
        """A title names the policy, its peak and its window, and how far the herd came back."""
        storm = plot_storm(pair)
        titles = [panel.ax.get_title(loc="left") for panel in storm.panels.values()]
        assert titles == [
            "exponential: peak 200/s over 0.1 s, all back within 2.0 s",
            "fixed: peak 200/s over 0.1 s, 25 % back after 4.0 s",
        ]
        assert storm.figure.get_suptitle() == (
            "Attempts to connect: 20 clients, server down for 2.0 s"
        )

    def test_labels_axes_with_units_and_outcomes_that_occur(self, pair):
        """Time is in seconds under the lowest panel; the legend holds no other outcomes."""
        storm = plot_storm(pair)
        assert [panel.ax.get_xlabel() for panel in storm.panels.values()] == ["", "time (s)"]
        assert all(
            panel.ax.get_ylabel().startswith("attempts/s") for panel in storm.panels.values()
        )
        assert labels(storm.legend) == ["connected", "refused: nobody listens", "timed out"]

    def test_never_hides_the_peak_or_the_capacity(self, lockstep):
        """The common scale reaches above both, whichever is higher."""
        calm = plot_storm({"calm": lockstep(outage=False)}).panels["calm"]
        assert calm.ax.get_ylim()[1] > 10.0
        storm = plot_storm({"storm": lockstep(n_clients=500)}).panels["storm"]
        assert storm.ax.get_ylim()[1] > 5000.0

    def test_sets_many_policies_side_by_side(self, pair, lockstep):
        """From six on, in a grid with the capacity in its one legend."""
        many = {f"{name} {place}": pair[name] for place in range(3) for name in pair}
        storm = plot_storm(many)
        panels = [panel.ax for panel in storm.panels.values()]
        assert [ax.get_title(loc="left").split("\n")[0] for ax in panels] == list(many)
        assert [bool(ax.get_ylabel()) for ax in panels] == [True, False, False] * 2
        assert len({ax.get_ylim() for ax in panels}) == 1
        assert labels(storm.legend)[-1] == "capacity 10/s"
        assert not any("capacity" in text.get_text() for ax in panels for text in ax.texts)
        quiet = {str(place): lockstep(outage=False) for place in range(6)}
        assert plot_storm(quiet).legend is None

    def test_draws_on_given_axes(self, pair):
        """No other figure is made."""
        axes = list(Figure().subplots(2, 1))
        storm = plot_storm(pair, axes=axes)
        assert [panel.ax for panel in storm.panels.values()] == axes

    def test_needs_one_panel_per_policy(self, pair):
        """A panel too few would drop a policy without a word."""
        with pytest.raises(ValueError, match="shorter"):
            plot_storm(pair, axes=[Figure().subplots()])


class TestRecovery:
    """`plot_recovery`."""

    def test_draws_the_share_connected_of_each_policy(self, pair):
        """A curve is the exact step function, in the policy's colour."""
        drawn = plot_recovery(pair)
        colours = policy_colours(pair)
        for name, result in pair.items():
            connected, curve = share_connected(result), drawn.curves[name]
            np.testing.assert_allclose(curve.get_xdata(), connected.edges)
            np.testing.assert_allclose(curve.get_ydata()[:-1], connected.share)
            assert curve.get_drawstyle() == "steps-post"
            assert curve.get_color() == colours[name]

    def test_draws_no_floor_without_a_capacity(self, lockstep):
        """How fast it could have been is not known of a server that is not herd's."""
        manifest = {"target": "ws://localhost:8000/"}
        drawn = plot_recovery({"fixed": lockstep(server=False, manifest=manifest)})
        assert drawn.floors == ()
        assert len(labels(drawn.legend)) == 1

    def test_draws_the_floor_from_the_end_of_the_outage(self, pair):
        """20 clients at 10 per second: from nobody at 4 s to everybody at 6 s."""
        drawn = plot_recovery(pair)
        (floor,) = drawn.floors
        np.testing.assert_allclose(floor.get_xdata(), [4.0, 6.0])
        np.testing.assert_allclose(floor.get_ydata(), [0.0, 1.0])
        assert [span(outage) for outage in drawn.outages] == [(2.0, 4.0)]

    def test_says_in_the_legend_how_far_each_came_back(self, pair):
        """Policies in their order, then the floor."""
        assert labels(plot_recovery(pair).legend) == [
            "exponential: all back within 2.0 s",
            "fixed: 25 % back after 4.0 s",
            "fastest possible at 10/s: 2.0 s",
        ]

    def test_labels_axes_with_units(self, pair):
        """Seconds and percent."""
        ax = plot_recovery(pair).ax
        assert ax.get_xlabel() == "time (s)"
        assert ax.get_ylabel() == "share of clients connected"
        assert ax.yaxis.get_major_formatter()(0.5) == "50 %"

    def test_draws_no_floor_without_an_outage(self, lockstep):
        """The fleet stays connected, and the legend says why."""
        drawn = plot_recovery({"fixed": lockstep(outage=False)})
        assert drawn.floors == drawn.outages == ()
        assert labels(drawn.legend) == ["fixed: no outage"]


class TestRecoveries:
    """`plot_recoveries`."""

    def test_draws_each_policy_in_a_panel_before_the_others(self, pair):
        """Its own curve is the exact step function; the pale ones are those of all."""
        drawn = plot_recoveries(pair)
        assert list(drawn) == list(pair)
        for name, result in pair.items():
            connected, curve = share_connected(result), drawn[name].curves[name]
            np.testing.assert_allclose(curve.get_xdata(), connected.edges)
            np.testing.assert_allclose(curve.get_ydata()[:-1], connected.share)
            pale = [
                line
                for line in drawn[name].ax.lines
                if to_hex(line.get_color()) == to_hex(LIGHT_GREY)
            ]
            assert len(pale) == len(pair)
            assert max(line.get_zorder() for line in pale) <= curve.get_zorder()

    def test_says_in_titles_how_far_each_came_back(self, pair):
        """And in one legend how fast anybody could."""
        drawn = plot_recoveries(pair)
        assert [panel.ax.get_title(loc="left") for panel in drawn.values()] == [
            "exponential\nall back within 2.0 s",
            "fixed\n25 % back after 4.0 s",
        ]
        (legend,) = drawn["fixed"].figure.legends
        assert labels(legend) == ["fastest possible at 10/s: 2.0 s"]

    def test_has_common_axes(self, pair):
        """Seconds and percent."""
        panels = [panel.ax for panel in plot_recoveries(pair).values()]
        assert len({(ax.get_xlim(), ax.get_ylim()) for ax in panels}) == 1
        assert panels[0].get_xlabel() == "time (s)"
        assert panels[0].yaxis.get_major_formatter()(0.5) == "50 %"

    def test_draws_no_floor_without_an_outage(self, lockstep):
        """Nor a legend."""
        drawn = plot_recoveries({"fixed": lockstep(outage=False)})
        assert drawn["fixed"].floors == ()
        assert drawn["fixed"].figure.legends == []

    def test_draws_on_given_axes(self, pair):
        """No other figure is made."""
        axes = list(Figure().subplots(2, 1))
        assert [panel.ax for panel in plot_recoveries(pair, axes=axes).values()] == axes


class TestRaster:
    """`plot_raster`."""

    def test_draws_every_attempt_in_the_colour_of_its_outcome(self, pair):
        """Points are (seconds, client); lockstep makes two columns of them, at 3 and at 5 s."""
        drawn = plot_raster(pair["fixed"])
        points = {outcome: np.asarray(dots.get_offsets()) for outcome, dots in drawn.points.items()}
        expected = {
            Outcome.CONNECTED: [(5.0, client) for client in range(5)],
            Outcome.REFUSED: [(3.0, client) for client in range(20)],
            Outcome.TIMED_OUT: [(5.0, client) for client in range(5, 20)],
        }
        assert list(points) == list(expected)
        for outcome, dots in drawn.points.items():
            np.testing.assert_allclose(points[outcome], expected[outcome])
            assert to_hex(dots.get_facecolor()[0]) == OUTCOME_COLOURS[outcome].lower()
            assert dots.get_rasterized()

    def test_says_what_is_seen(self, pair):
        """Whose run it is, how many attempts, how close together; time, clients, outcomes."""
        ax = plot_raster(pair["fixed"]).ax
        assert ax.get_title(loc="left") == (
            "fixed: 2.0 attempts each, 20 within 0.1 s, 25 % back after 4.0 s"
        )
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "client")
        assert labels(ax.get_legend()) == ["connected", "refused: nobody listens", "timed out"]

    def test_marks_those_who_gave_up_for_good(self, lockstep):
        """When they did, in the colour of that state, in the legend and in the title."""
        result = lockstep(n_back=12)
        gave_up_at = np.where(np.arange(20) >= 15, 7.0, np.nan)
        result = replace(result, clients={**result.clients, "gave_up_at": gave_up_at})
        drawn = plot_raster(result)
        assert drawn.gave_up.get_offsets().tolist() == [[7.0, client] for client in range(15, 20)]
        assert to_hex(drawn.gave_up.get_facecolor()[0]) == to_hex(STATE_COLOURS[FleetState.GAVE_UP])
        assert labels(drawn.ax.get_legend())[-1] == "gave up"
        assert "within 0.1 s, 25 % gave up, 60 % back" in drawn.ax.get_title(loc="left")

    def test_marks_nobody_where_nobody_gave_up(self, pair):
        """And does not say so."""
        assert plot_raster(pair["fixed"]).gave_up is None

    def test_of_a_quiet_run_is_empty(self, lockstep):
        """Nothing to draw is no error, and needs no legend."""
        drawn = plot_raster(lockstep(outage=False))
        assert drawn.points == {}
        assert drawn.ax.get_title(loc="left") == "fixed: no attempts"
        assert drawn.ax.get_legend() is None


class TestStates:
    """`plot_states`."""

    def test_stacks_the_states_up_to_the_fleet(self, pair):
        """Each state stands on the ones before; the top is the number of clients."""
        drawn = plot_states(pair["fixed"])
        states = fleet_states(pair["fixed"])
        assert list(drawn.stack) == [FleetState.CONNECTED, FleetState.DIALLING, FleetState.WAITING]
        for state, patch in drawn.stack.items():
            data = patch.get_data()
            np.testing.assert_allclose(data.values - data.baseline, states.counts[state])
            np.testing.assert_allclose(data.edges, states.edges)
        np.testing.assert_allclose(data.values, 20)
        assert drawn.ax.get_ylim() == (0, 20)

    def test_thins_what_no_one_could_see(self, lockstep):
        """Beyond the columns of dots of a picture, steps are averaged, and still add up."""
        result = lockstep(n_clients=3000, n_back=3000, horizon=200.0)
        assert fleet_states(result).edges.size > _STEPS
        drawn = plot_states(result)
        top = drawn.stack[FleetState.WAITING].get_data()
        assert top.edges.size == _STEPS + 1
        np.testing.assert_allclose(top.values, 3000)

    def test_says_what_is_seen(self, pair):
        """Whose run it is and how it ended; time, clients, the states that show."""
        ax = plot_states(pair["fixed"], name="mine").ax
        assert ax.get_title(loc="left") == "mine: 25 % connected at the end"
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "clients")
        assert labels(ax.get_legend()) == [
            "connected",
            "attempt under way",
            "waiting to try again",
        ]

    def test_shows_the_outage_on_top_of_the_stack(self, pair):
        """Under an opaque stack its shading would be lost."""
        drawn = plot_states(pair["fixed"])
        (outage,) = drawn.frame.outages
        assert span(outage) == (2.0, 4.0)
        assert outage.get_zorder() > max(patch.get_zorder() for patch in drawn.stack.values())


class TestNodes:
    """`plot_nodes`."""

    def test_draws_a_line_for_each_node(self, lockstep):
        """The steps of its connections, in a colour of its own."""
        result = lockstep(nodes=3)
        drawn = plot_nodes(result)
        held = connections_by_node(result)
        assert list(drawn.lines) == [0, 1, 2]
        for node, line in drawn.lines.items():
            np.testing.assert_allclose(line.get_xdata(), held.edges)
            np.testing.assert_allclose(line.get_ydata()[:-1], held.counts[node])
            assert line.get_drawstyle() == "steps-post"
        assert len({line.get_color() for line in drawn.lines.values()}) == 3
        assert [span(outage) for outage in drawn.frame.outages] == [(2.0, 4.0)]

    def test_says_what_is_seen(self, lockstep):
        """How often clients were disconnected, and how uneven it is in the end."""
        ax = plot_nodes(lockstep(nodes=3, n_clients=20, n_back=4)).ax
        assert ax.get_title(loc="left") == (
            "fixed: 1.00 disconnects per client; fullest node at the end: 1.50 times the mean"
        )
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "connections")
        assert labels(ax.get_legend()) == ["node 0", "node 1", "node 2"]

    def test_leaves_out_a_node_that_never_held_any(self, lockstep):
        """It would only be a name in the legend."""
        assert list(plot_nodes(lockstep(nodes=3, n_clients=2, n_back=0)).lines) == [0, 1]

    def test_names_only_the_first_and_the_last_of_many(self, lockstep):
        """Their colours are a ramp."""
        drawn = plot_nodes(lockstep(nodes=12))
        assert len({line.get_color() for line in drawn.lines.values()}) == 12
        assert labels(drawn.ax.get_legend()) == ["node 0", "node 11"]

    def test_of_a_run_in_which_nobody_connected(self, lockstep):
        """There is nothing to be even or uneven."""
        ax = plot_nodes(lockstep(nodes=2, n_back=0)).ax
        assert ax.get_title(loc="left") == "fixed: 1.00 disconnects per client"


def test_figures_leave_no_trace(pair):
    """Neither matplotlib's settings nor pyplot's list of figures know of them."""
    before = dict(mpl.rcParams)
    plot_storm(pair), plot_recovery(pair), plot_raster(pair["fixed"]), plot_states(pair["fixed"])
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


@pytest.mark.parametrize("plot", [plot_raster, plot_states])
def test_single_runs_draw_on_given_axes(plot, pair):
    """With a common end of the time axis, and without a legend if there is one elsewhere."""
    ax = Figure().subplots()
    drawn = plot(pair["fixed"], ax=ax, until=12.0, legend=False)
    assert drawn.ax is ax
    assert drawn.figure is ax.figure
    assert ax.get_xlim() == (0.0, 12.0)
    assert ax.get_legend() is None
    assert span(drawn.frame.unobserved) == (8.0, 12.0)


class TestCohorts:
    """`plot_cohorts`."""

    def test_draws_a_curve_for_each_cohort(self, lockstep):
        """The share of its own clients; the title names the worst and the best."""
        result = lockstep(cohorts=("brave", "shy"))
        drawn = plot_cohorts(result, name="mine")
        for index, line in drawn.handles.items():
            connected = share_connected(result, cohort=index)
            np.testing.assert_allclose(line.get_ydata()[:-1], connected.share)
        assert labels(drawn.ax.get_legend()) == ["brave", "shy"]
        assert drawn.ax.get_title(loc="left") == "mine: all down to 0 %"

    def test_names_the_worst_and_the_best(self, lockstep):
        """Where one cohort kept its connections."""
        result = lockstep(cohorts=("brave", "shy"), n_lost=10)
        title = plot_cohorts(result, name="mine").ax.get_title(loc="left")
        assert title == "mine: shy down to 0 %, brave to 100 %"


class TestArrivals:
    """`plot_arrivals`."""

    def test_stacks_what_arrivals_met(self, lockstep):
        """Those let in at the bottom; rules that turned nobody away are left out."""
        result = lockstep(turned_away={"admission": 12, "backlog": 3})
        stack = plot_arrivals(result)
        met = arrivals_met(result)
        assert list(stack.stack) == [Met.ADMITTED, Met.BACKLOG, Met.ADMISSION]
        for what, patch in stack.stack.items():
            data = patch.get_data()
            np.testing.assert_allclose(data.values - data.baseline, met.per_second[what])
        assert data.values.max() == 20 / 0.1
        assert labels(stack.ax.get_legend()) == [
            "let in",
            "queue full",
            "not admitted by the rule in front",
        ]

    def test_says_how_many_were_turned_away_and_why(self, lockstep):
        """The rule that turned most away comes first."""
        stack = plot_arrivals(lockstep(turned_away={"admission": 12, "backlog": 3}), name="mine")
        assert stack.ax.get_title(loc="left").replace("\n", " ") == (
            "mine: 15 of 20 arrivals turned away: 12 (not admitted by the rule in front) and "
            "3 (queue full)"
        )

    def test_says_so_when_all_were_let_in(self, lockstep):
        """And when nobody knows."""
        assert "20 arrivals, all let in" in plot_arrivals(lockstep()).ax.get_title(loc="left")
        title = plot_arrivals(lockstep(server=False)).ax.get_title(loc="left")
        assert "the server left no record" in title

    def test_marks_the_capacity(self, lockstep):
        """What the server can take."""
        assert plot_arrivals(lockstep()).capacity.get_ydata() == [10.0, 10.0]
