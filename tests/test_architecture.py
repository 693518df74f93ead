"""The import contract of pyproject.toml."""

import subprocess
import sys
from pathlib import Path


def test_imports_point_down_only():
    """No layer reaches up, no decision reaches for sockets or clocks."""
    contract = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert contract.returncode == 0, contract.stdout
