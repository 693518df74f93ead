"""Policies and defences as points: how soon the herd is back, and how hard it knocks."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import StrMethodFormatter

from reports.panels import legend_under_axes, new_panels, root_figure
from reports.style import BLACK, GREY, POLICY_COLOURS, styled
from simulator.plan_results import Choice, PlanResult, Policies

_HEIGHT = 4.2
"""Inches."""
_JITTERS = ("none", "equal", "full", "decorrelated")
_SIZE, _LARGE = 30.0, 130.0
"""Square points of a marker."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ParetoPicture:
    """What was drawn."""

    ax: Axes
    points: dict[str, PathCollection]
    """By kind of jitter; "today" for the present policy."""
    front: Line2D

    @property
    def figure(self) -> Figure:
        """Whose part they are."""
        return root_figure(self.ax)


def plot_pareto(plan: PlanResult, policies: Policies, *, ax: Axes | None = None) -> ParetoPicture:
    """Draw recovery against peak, a point for each policy and defence, and the front of the best.

    Args:
        plan: What was found.
        policies: Its policies.
        ax: The panel; that of a figure of its own unless given.
    """
    with styled():
        if ax is None:
            figure, (ax,) = new_panels(1, height=_HEIGHT)
            figure.suptitle(f"Recovery against peak: {plan.scenario}", x=0.01, ha="left")
        shown = [
            one for one in policies.choices if one.recovery is not None and one.peak is not None
        ]
        points = {
            name: _points(ax, name, [one for one in shown if _kind(one) == name])
            for name in ("today", *_JITTERS)
            if any(_kind(one) == name for one in shown)
        }
        best = sorted((one.recovery or 0.0, one.peak or 0.0) for one in shown if one.on_front)
        (front,) = ax.plot(
            [x for x, _ in best],
            [y for _, y in best],
            color=BLACK,
            lw=1.0,
            zorder=1,
            drawstyle="steps-post",
            label="front: none is better in both",
        )
        _limits(ax, plan, policies)
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.set_xlabel(f"{policies.recovery_metric} (s)")
        ax.set_ylabel(f"{policies.peak_metric} (/s)")
        never = len(policies.choices) - len(shown)
        finding = f"{len(best)} of {len(policies.choices)} settings are on the front"
        ax.set_title(finding + (f"; {never} never got there" if never else ""), loc="left")
        legend_under_axes(ax, [*points.values(), front], n_columns=4)
        return ParetoPicture(ax=ax, points=points, front=front)


def _kind(choice: Choice) -> str:
    return str(choice.settings.get("jitter", "today"))


def _points(ax: Axes, name: str, shown: list[Choice]) -> PathCollection:
    today = name == "today"
    return ax.scatter(
        [one.recovery or 0.0 for one in shown],
        [one.peak or 0.0 for one in shown],
        s=_LARGE if today else _SIZE,
        marker="*" if today else "o",
        color=BLACK if today else POLICY_COLOURS[_JITTERS.index(name)],
        label="today's policy" if today else f"{name} jitter" if name != "none" else "no jitter",
        zorder=3 if today else 2,
    )


def _limits(ax: Axes, plan: PlanResult, policies: Policies) -> None:
    """Where the objectives draw a line."""
    for metric, _, limit in plan.limits.values():
        if limit is None:
            continue
        if metric == policies.recovery_metric:
            ax.axvline(limit, color=GREY, lw=1.0, ls=(0, (4, 2)))
        elif metric == policies.peak_metric:
            ax.axhline(limit, color=GREY, lw=1.0, ls=(0, (4, 2)))
