"""Figures of recorded runs: `plot_*(data, *, ax=None)` draws on the given Axes or on its own.

Each returns the artists it made and computes nothing: what is shown comes from
`simulator.metrics`, the look from `reports.style`.
"""

from reports.figures.arrivals import ArrivalStack, plot_arrivals
from reports.figures.cohorts import CohortCurves, plot_cohorts
from reports.figures.heatmap import HeatMap, Objective, plot_heatmap
from reports.figures.lost import LossCurves, plot_lost
from reports.figures.nodes import NodeLines, plot_nodes
from reports.figures.policy import PolicyPicture, plot_policy
from reports.figures.raster import AttemptRaster, plot_raster
from reports.figures.recovery import RecoveryCurves, plot_recoveries, plot_recovery
from reports.figures.stages import StageLines, plot_backlog, plot_goodput
from reports.figures.states import StateStack, plot_states
from reports.figures.storm import Storm, StormPanel, plot_storm
from reports.figures.syncs import SyncLoad, plot_syncs

__all__ = [
    "ArrivalStack",
    "AttemptRaster",
    "CohortCurves",
    "HeatMap",
    "LossCurves",
    "NodeLines",
    "Objective",
    "PolicyPicture",
    "RecoveryCurves",
    "StageLines",
    "StateStack",
    "Storm",
    "StormPanel",
    "SyncLoad",
    "plot_arrivals",
    "plot_backlog",
    "plot_cohorts",
    "plot_goodput",
    "plot_heatmap",
    "plot_lost",
    "plot_nodes",
    "plot_policy",
    "plot_raster",
    "plot_recoveries",
    "plot_recovery",
    "plot_states",
    "plot_storm",
    "plot_syncs",
]
