"""A close code says whether to come back, and its reason when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from server_stub.messages import encode_hint
from simulator.core.backoff import LONGEST_DELAY
from simulator.core.close_codes import CloseRules, Disposition, Kind, disposition, is_restart

DEFAULT = CloseRules()
END = Disposition(Kind.END)
RETRY = Disposition(Kind.RETRY)
HINT = encode_hint(5)


@pytest.mark.parametrize("code", [1000, 1008])
def test_a_final_word_ends(code):
    """The seed came back after every close that it had not made itself, 1000 included."""
    assert disposition(code, HINT, DEFAULT) == END


@pytest.mark.parametrize("code", [1001, 1002, 1003, 1005, 1006, 1007, 1009, 1011, 1014, 1015])
def test_an_accident_returns_by_policy(code):
    """Whatever the reason says."""
    assert disposition(code, HINT, DEFAULT) == RETRY


@pytest.mark.parametrize("code", [1012, 1013, 4000, 4001, 4321, 4999])
def test_a_server_that_means_to_be_back_is_left_alone_as_long_as_it_asks(code):
    """And by policy if it asks for nothing."""
    assert disposition(code, HINT, DEFAULT) == Disposition(Kind.RETRY, 5.0)
    assert disposition(code, "back in a moment", DEFAULT) == RETRY


def test_a_stated_delay_is_bounded():
    """No server can send a client beyond the end of the clock."""
    assert disposition(1012, encode_hint(1e300), DEFAULT).at_least == LONGEST_DELAY


def test_only_a_restart_is_a_restart():
    """The user is told "server restarting" for 1012 and 4001 and for nothing else."""
    assert [code for code in range(1000, 5000) if is_restart(code)] == [1012, 4001]


def test_a_list_takes_its_codes_out_of_the_other_defaults():
    """Nobody has to repeat a list in order to move one code."""
    rules = CloseRules.model_validate({"retry": [1008], "end": [1000, 4001]})
    assert disposition(1008, "", rules) == RETRY
    assert disposition(4001, HINT, rules) == END
    assert rules.delayed == (1012, 1013)


def test_codes_that_no_list_names_fall_to_the_last_two_rules():
    """One for applications, one for the rest."""
    rules = CloseRules(application="end", otherwise="delayed")
    assert disposition(4000, HINT, rules) == END
    assert disposition(4001, HINT, rules) == Disposition(Kind.RETRY, 5.0)
    assert disposition(1002, HINT, rules) == Disposition(Kind.RETRY, 5.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"end": [1000], "retry": [1000]}, "named twice: 1000"),
        ({"end": [1000, 1000]}, "named twice: 1000"),
        ({"end": [999]}, "greater than or equal to 1000"),
        ({"end": ["4200-4100"]}, "a range of codes"),
        ({"end": ["1000"]}, "a range of codes"),
        ({"end": ["4200-4299"], "retry": [4250]}, "named twice: 4250"),
        ({"end": 1000}, "valid tuple"),
        ({"application": "perhaps"}, "'delayed' or 'at_once'"),
        ({"never": [1000]}, "Extra inputs"),
    ],
    ids=str,
)
def test_a_mistake_is_reported(settings, message):
    """No setting is guessed."""
    with pytest.raises(ValidationError, match=message):
        CloseRules.model_validate(settings)


CODES = st.lists(st.integers(1000, 4999), unique=True, max_size=9)


@given(CODES, st.integers(1000, 4999))
def test_rules_survive_being_written_down(end, code):
    """What is saved with a run reads back as the same rules."""
    rules = CloseRules.model_validate({"end": end})
    assert CloseRules.model_validate(rules.model_dump(mode="json")) == rules
    assert (rules.rule(code) == "end") == (code in end)
