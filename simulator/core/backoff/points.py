"""Distributions given by points of their inverse: (probability, value), straight between them.

Two points with the same value are an atom, two with the same probability a gap; so such a list can
be a histogram, a comb of narrow bands, or any smooth distribution as closely as one likes.
"""

from bisect import bisect_right
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from server_stub.settings import Share

Points = tuple[tuple[float, float], ...]


def _inverse_distribution(points: Points) -> Points:
    """Check that points rise from probability 0 to probability 1."""
    probabilities = [point[0] for point in points]
    values = [point[1] for point in points]
    if len(points) < 2 or (probabilities[0], probabilities[-1]) != (0.0, 1.0):
        raise ValueError("needs points from probability 0 to probability 1")
    if probabilities != sorted(probabilities) or values != sorted(values):
        raise ValueError("needs points that never fall, neither in probability nor in value")
    return points


def _none_or_quantiles(points: Points) -> Points:
    return points and _inverse_distribution(points)


Quantiles = Annotated[
    tuple[tuple[Share, Annotated[float, Field(ge=0, le=1e9, strict=True)]], ...],
    AfterValidator(_inverse_distribution),
]
"""(probability, value) from probability 0 to probability 1."""
ShareQuantiles = Annotated[tuple[tuple[Share, Share], ...], AfterValidator(_none_or_quantiles)]
"""The same with values from 0 to 1; empty for none."""


class _Pieces(NamedTuple):
    """The straight pieces of a distribution's inverse, those of no probability left out."""

    starts: tuple[float, ...]
    widths: tuple[float, ...]
    """In probability."""
    lows: tuple[float, ...]
    rises: tuple[float, ...]
    """In value."""


@lru_cache(maxsize=1024)
def _pieces(points: Points) -> _Pieces:
    pieces = [
        (start, end - start, low, high - low)
        for (start, low), (end, high) in pairwise(points)
        if end > start
    ]
    return _Pieces(*zip(*pieces, strict=True))


@lru_cache(maxsize=1024)
def _arrays(points: Points) -> tuple[NDArray[np.float64], ...]:
    return tuple(np.array(column) for column in _pieces(points))


def quantile(points: Points, u: float) -> float:
    """The value below which a share `u` of the draws falls, u in [0, 1]."""
    starts, widths, lows, rises = _pieces(points)
    piece = bisect_right(starts, u) - 1
    return lows[piece] + (u - starts[piece]) / widths[piece] * rises[piece]


def quantiles(points: Points, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same as `quantile`, bit for bit, for an array of any shape."""
    starts, widths, lows, rises = _arrays(points)
    piece = np.searchsorted(starts, u, side="right") - 1
    return lows[piece] + (u - starts[piece]) / widths[piece] * rises[piece]
