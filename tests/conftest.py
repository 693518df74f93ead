"""Settings that hold for every test."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("herd", derandomize=True, deadline=None)
settings.load_profile("herd")

HERE = Path(__file__).parent
REAL = (
    "agreement/test_virtual_against_live.py",
    "foreign",
    "notebooks",
    "reports/page",
    "server_stub/peers/test_processes.py",
    "server_stub/test_main.py",
    "simulator/cli/test_bad_input.py",
    "simulator/cli/test_interrupt.py",
    "simulator/cli/test_measuring.py",
    "simulator/cli/test_run.py",
    "simulator/cli/test_target.py",
    "simulator/engines/test_foreign.py",
    "simulator/engines/test_live.py",
    "simulator/engines/test_live_nodes.py",
    "simulator/sweeping",
    "simulator/test_jupyter.py",
    "simulator/test_outbox_sigkill.py",
    "simulator/test_own_policies.py",
)
"""Tests with sockets, processes and a clock that are real: they mostly wait."""


def pytest_collection_modifyitems(items):
    """Two halves for two processes: real ones must not disturb each other, the others compute."""
    real = [HERE / path for path in REAL]
    for item in items:
        is_real = any(item.path.is_relative_to(path) for path in real)
        item.add_marker(pytest.mark.xdist_group("real" if is_real else "computed"))
