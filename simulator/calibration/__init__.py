"""From a storm that was recorded to the settings of a server that would have had it, and back."""

from simulator.calibration.backtest import Backtest, backtest
from simulator.calibration.fit import fit_run
from simulator.calibration.fitted import Fitted
from simulator.calibration.incident import fit_incident

__all__ = ["Backtest", "Fitted", "backtest", "fit_incident", "fit_run"]
