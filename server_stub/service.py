"""How long one handshake keeps a worker busy, from one uniform draw (RULES.md, 1).

Each draw goes through the inverse distribution function: a larger draw is a longer service, and
two runs that share their draws differ in nothing but the distribution.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from server_stub.service_time import ServiceTime

LOGNORMAL_CV = 0.5
"""Standard deviation over mean of a lognormal that does not state its own; see `ServiceTime.cv`."""


def service_time(spec: ServiceTime, u: float) -> float:
    """Seconds of service for the uniform draw `u`; equal to `service_times` bit for bit.

    It goes through the array form because `math.log1p` and `math.exp` may differ from numpy's in
    the last bit, which would be enough to reorder two departures.
    """
    return float(service_times(spec, np.array([u]))[0])


def service_times(spec: ServiceTime, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds of service for each of the uniform draws.

    Args:
        spec: The distribution.
        u: Draws in (0, 1), of any shape.

    Returns:
        Service times in seconds, in the shape of `u`.
    """
    match spec.kind:
        case "constant":
            return np.full_like(u, spec.mean)
        case "exponential":
            return -spec.mean * np.log1p(-u)
        case "lognormal":
            variance = math.log1p((spec.cv or LOGNORMAL_CV) ** 2)
            normal: NDArray[np.float64] = ndtri(u)
            return spec.mean * np.exp(math.sqrt(variance) * normal - variance / 2)
