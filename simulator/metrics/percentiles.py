"""Percentiles of samples in which "never" is a value.

In all metrics infinity means "not within the observation" and NaN "nothing to measure it by".
"""

import math

import numpy as np
from numpy.typing import NDArray


def rank(share: float, n: int) -> int:
    """How many of n make up a share: ceil(share * n), free of rounding errors such as 0.07 * 100.

    Args:
        share: From 0 to 1; finer than a millionth of n makes no difference.
        n: Size of the whole.
    """
    return math.ceil(round(share * n, 6))


def percentile(values: NDArray[np.floating], share: float) -> float:
    """The ceil(share * n)-th smallest value; NaN when there are none.

    Args:
        values: Samples, shape (n,), infinite for what never happened.
        share: Above 0, up to 1.
    """
    if values.size == 0:
        return math.nan
    position = rank(share, values.size) - 1
    return float(np.partition(values, position)[position])
