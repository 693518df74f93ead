"""How sure a share is that was counted in a few trials."""

import math

_Z = 1.959964
"""Standard deviations on either side that hold 95 % of a normal distribution."""


def wilson(n: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share that was found n times in so many trials.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Args:
        n: Successes.
        of: Trials; above 0.
    """
    share, weight = n / of, _Z * _Z / of
    centre = (share + weight / 2) / (1 + weight)
    reach = _Z / (1 + weight) * math.sqrt(share * (1 - share) / of + weight / (4 * of))
    return max(0.0, centre - reach), min(1.0, centre + reach)
