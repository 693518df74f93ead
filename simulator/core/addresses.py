"""Which clients share an address, as behind a NAT or the proxy of an office, sans-IO."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FIRST = 10 << 24
"""10.0.0.0, the first of 16 million private addresses."""


def address_numbers(
    cohort_of: NDArray[np.uint16], clients_per_address: Sequence[int]
) -> NDArray[np.int64]:
    """Deal addresses to clients: within a cohort in the order of their numbers.

    Args:
        cohort_of: Index of each client's cohort, shape (n_clients,).
        clients_per_address: Of each cohort.

    Returns:
        The number of each client's address, from 0, shape (n_clients,). No two cohorts share one.
    """
    numbers = np.empty(cohort_of.size, dtype=np.int64)
    first = 0
    for cohort, together in enumerate(clients_per_address):
        members = np.flatnonzero(cohort_of == cohort)
        numbers[members] = first + np.arange(members.size) // together
        first += -(-members.size // together)
    return numbers


def address_text(number: int) -> str:
    """The address with a number: 10.0.0.0, 10.0.0.1 and so on."""
    value = _FIRST + number
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
