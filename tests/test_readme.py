"""The README's commands are the ones that are kept working."""

import re
import sys
from pathlib import Path

from simulator.core.backoff import delay
from simulator.own_policies import policy_named

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
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README, re.DOTALL)
    assert pictures
    assert [picture for picture in pictures if not (ROOT / picture).is_file()] == []


def test_the_policy_of_ones_own_is_one(tmp_path, monkeypatch):
    """The module that is shown can be given to --policy as it stands."""
    (module,) = re.findall(r"```python\n# mymodule.py\n(.*?)```", README, re.DOTALL)
    (tmp_path / "mymodule.py").write_text(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    policy = policy_named("mymodule:delay")
    sys.modules.pop("mymodule")
    assert policy.max_attempts == 20
    assert 0.5 < delay(policy, 1, 0.5) < 1.5


def test_nothing_is_left_to_fill_in():
    """What stands there is said by somebody."""
    assert "@@" not in README
