"""Delays by a function of the user's own."""

import sys

import numpy as np
import pytest
from pydantic import ValidationError

from simulator.core.backoff import Policy, delay, delays, describe, first_delay
from simulator.core.backoff.functions import delay_by
from simulator.errors import InputError


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module into the working directory; gives its name, which no other module has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = tmp_path.name.replace("-", "_")

    def write(text):
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield write
    sys.modules.pop(name, None)


def give(result):
    """A module with a function that gives this."""
    return f"def delay(step, u, previous):\n    return {result}\n"


def test_it_is_told_step_draw_and_the_delay_before(module):
    """And nothing else; the delay before the first is 0."""
    name = f"{module(give('100 * step + 10 * u + previous'))}:delay"
    policy = Policy(function=name)
    assert delay(policy, 3, 0.5, 2.0) == 307.0
    assert delay(policy, 1, 0.5, None) == 105.0


def test_scalar_and_vector_agree(module):
    """Bit for bit, with the settings that go with any delays."""
    name = f"{module(give('u * 3 ** step + previous / 7'))}:delay"
    steps, u = np.arange(1, 9), np.linspace(0.05, 0.95, 8)
    previous = np.linspace(0.0, 5.0, 8)
    for settings in (
        {},
        {"immediate_first": True},
        {"resolution": 0.01},
        {"count_from": "remainder", "immediate_first": True, "immediate_counts": True},
    ):
        policy = Policy(function=name, **settings)
        together = delays(policy, steps, u, previous, elapsed=0.4)
        one_by_one = [
            delay(policy, step, *rest, elapsed=0.4)
            for step, *rest in zip(steps.tolist(), u.tolist(), previous.tolist(), strict=True)
        ]
        assert together.tolist() == one_by_one


def test_a_free_first_retry_uses_up_no_step_of_it(module):
    """The function's first step is the first retry that waits."""
    policy = Policy(function=f"{module(give('step'))}:delay", immediate_first=True)
    assert [delay(policy, step, 0.5) for step in (1, 2, 3)] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "text",
    [
        "class Mine:\n    def delay(self, step, u, previous):\n        return 2 * step\n",
        "class Mine:\n    def __call__(self, step, u, previous):\n        return 2 * step\n",
        "class C:\n    delay = lambda self, step, u, previous: 2 * step\nMine = C()\n",
        "class C:\n    mine = lambda step, u, previous: 2 * step\nMine = C.mine\n",
    ],
    ids=["a class", "a class to call", "an object", "a lambda"],
)
def test_it_may_be_a_class_or_an_object(module, text):
    """Of a class there is one instance for all clients."""
    assert delay_by(f"{module(text)}:Mine", 3, 0.5, 0.0) == 6.0


def test_numbers_of_any_kind_are_seconds(module):
    """As numpy has them."""
    text = "import numpy as np\n" + give("np.float32(step)")
    assert delay_by(f"{module(text)}:delay", 2, 0.5, 0.0) == 2.0


@pytest.mark.parametrize("result", ["-0.001", "float('nan')", "2e9", "'3'", "None", "True", "[1]"])
def test_what_is_no_number_of_seconds_is_refused(module, result):
    """With what was given, and for which arguments."""
    name = module(give(result))
    with pytest.raises(InputError) as caught:
        delay_by(f"{name}:delay", 2, 0.25, 1.0)
    assert str(caught.value).startswith(f"{name}:delay: gives {eval(result)!r} for step = 2")
    assert "u = 0.25, previous = 1; allowed: seconds" in str(caught.value)


def test_what_it_raises_is_one_line(module):
    """With the kind of error and its arguments."""
    name = module(give("{}[step]"))
    with pytest.raises(InputError, match=r"delay: raises KeyError for step = 4, .*: 4$"):
        delay_by(f"{name}:delay", 4, 0.5, 0.0)


@pytest.mark.parametrize(
    ("text", "attribute", "said"),
    [
        ("", "delay", "has no attribute 'delay'"),
        ("delay = 3\n", "delay", "is of type int; allowed: a function"),
        ("1 / 0\n", "delay", "raises ZeroDivisionError importing"),
        ("import sys\nsys.exit(3)\n", "delay", "raises SystemExit importing"),
        ("import no_such_module_xyz\n", "delay", "raises ModuleNotFoundError importing"),
        (
            "class Mine:\n    def __init__(self, x): ...\n",
            "Mine",
            "raises TypeError making a Mine: ",
        ),
        ("def (\n", "delay", "raises SyntaxError importing"),
    ],
)
def test_what_cannot_be_used_is_refused(module, text, attribute, said):
    """In one line that names the function."""
    name = f"{module(text)}:{attribute}"
    with pytest.raises(InputError) as caught:
        delay_by(name, 1, 0.5, 0.0)
    assert str(caught.value).startswith(f"{name}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no_such_module_xyz:f", "no_such_module_xyz.inner:f"])
def test_a_module_that_is_not_there_is_said_with_where_it_was_looked_for(
    tmp_path, monkeypatch, name
):
    """In the working directory, and among what is installed."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no module 'no_such_module_xyz', neither in .* nor"):
        delay_by(name, 1, 0.5, 0.0)


def test_modules_of_the_working_directory_do_not_hide_others_later(module):
    """Once it is imported, its directory is the last to be looked in."""
    delay_by(f"{module(give('1'))}:delay", 1, 0.5, 0.0)
    here = str(__import__("pathlib").Path.cwd())
    assert sys.path[-1] == here
    assert sys.path.count(here) == 1


def test_settings_that_shape_delays_have_no_effect_beside_it():
    """So they are refused."""
    for setting in ({"base": 2.0}, {"cap": 3.0}, {"jitter": "full"}, {"waits": (1.0,)}):
        with pytest.raises(ValidationError, match="needs function to be unset"):
            Policy(function="mine:delay", **setting)


@pytest.mark.parametrize("name", ["mine", "mine:", ":delay", "a:b:c", "my-module:f", "mine:f()"])
def test_the_name_has_one_form(name):
    """`module:attribute`."""
    with pytest.raises(ValidationError):
        Policy(function=name)


def test_it_is_looked_up_only_when_it_is_needed():
    """A recorded run loads, and has a label, where its module is missing."""
    policy = Policy(function="no_such_module_xyz:f", max_attempts=3)
    assert describe(policy) == "delays by no_such_module_xyz:f, gives up after 3 retries"
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def test_its_first_delay_is_a_middle_one(module):
    """The verdict's yardstick; that of the second step where the first is none."""
    name = module(give("4 * u * (step - 1)"))
    assert first_delay(Policy(function=f"{name}:delay")) == 2.0
