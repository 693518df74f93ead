"""The README's commands are the ones that are kept working."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_gate_runs_the_test_command_of_the_readme():
    """What the README promises is what CI does."""
    command = next(
        block for block in re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL) if "pytest" in block
    )
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_pictures_exist():
    """No image link leads nowhere."""
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    assert [picture for picture in pictures if not (ROOT / picture).is_file()] == []


def test_nothing_is_left_to_fill_in():
    """What stands there is said by somebody."""
    assert "@@" not in README
