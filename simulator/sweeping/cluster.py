"""A Dask cluster as a crew: `pip install 'thundering-herd[distributed]'`."""

import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from simulator.errors import InputError
from simulator.sweeping.crew import Crew

_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://[^\s:/]+:\d+/?|(tcp|tls|ws|wss)://\[[^\s/]+\]:\d+/?")
_PATIENCE = 5.0
"""Seconds in which a scheduler must answer."""


@contextmanager
def dask_crew(address: str) -> Iterator[Crew]:
    """The workers of a cluster.

    Args:
        address: Of the scheduler, as `tcp://HOST:PORT`.

    Raises:
        InputError: Dask is not installed, nobody answers, or there are no workers.
    """
    client = _client(address)
    try:
        n_workers = sum(client.nthreads().values())
        if not n_workers:
            raise InputError(f"--dask = {address}: the cluster has no workers")
        with Crew(n_workers, lambda n: _executor(client)) as crew:
            yield crew
    finally:
        client.close(timeout=_PATIENCE)


def _client(address: str) -> Any:  # noqa: ANN401 - distributed has no types
    if not _ADDRESS.fullmatch(address):
        raise InputError(f"--dask = {address}: allowed: the scheduler's, as tcp://HOST:8786")
    try:
        from distributed import Client  # noqa: PLC0415 - an extra that only this needs
    except ImportError:
        raise InputError(
            f"--dask = {address}: needs distributed: pip install 'thundering-herd[distributed]'"
        ) from None
    try:
        connect: Any = Client
        return connect(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:  # A TimeoutError is an OSError.
        reason = str(error).splitlines()[0] if str(error) else "no answer"
        raise InputError(f"--dask = {address}: {reason}") from None


def _executor(client: Any) -> Executor:  # noqa: ANN401 - distributed has no types
    executor: Executor = client.get_executor(pure=False)
    return executor
