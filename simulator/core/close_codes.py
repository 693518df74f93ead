"""What a close frame means for the client: come back, come back later, or stay away, sans-IO.

    [client.close_codes]
    end = [1000, 1008, 4003]

A server can say in the reason of its close frame how long it wants to be left alone, as a JSON
object with seconds: {"retry_after": 5}. Any other text is a text for people and asks for nothing.
The rules are for closes that come from the peer, or from nowhere (1006); a client that closes by
itself has made up its mind already.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from server_stub.messages import hinted_delay
from server_stub.settings import Settings
from simulator.core.backoff import LONGEST_DELAY

_FIRST, _LAST = 1000, 4999

Code = Annotated[int, Field(ge=_FIRST, le=_LAST, strict=True)]


def _checked_range(text: str) -> str:
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and _FIRST <= int(first) <= int(last) <= _LAST):
        raise ValueError(f"allowed: a range of codes from {_FIRST} to {_LAST}, such as '4200-4299'")
    return text


def _kind_of_entry(value: Any) -> str:  # noqa: ANN401 - whatever a TOML file holds
    return "range" if isinstance(value, str) else "code"


Codes = tuple[
    Annotated[
        Annotated[Code, Tag("code")] | Annotated[str, AfterValidator(_checked_range), Tag("range")],
        Discriminator(_kind_of_entry),
    ],
    ...,
]
"""Codes one by one, or from one to another: (1000, "4200-4299")."""
Rule = Literal["end", "retry", "delayed", "at_once"]

SERVICE_RESTART = 1012
APPLICATION_RESTART = 4001
"""By the convention of herd's stub; the codes from 4000 on belong to applications."""
FIRST_APPLICATION_CODE = 4000

_LISTS: tuple[Rule, ...] = ("end", "retry", "delayed", "at_once")


def _covered(entries: Iterable[int | str]) -> list[int]:
    """The codes that entries of a list stand for; an entry that makes no sense stands for none."""
    codes: list[int] = []
    for entry in entries:
        if isinstance(entry, int):
            codes.append(entry)
        else:
            first, _, last = str(entry).partition("-")
            if first.isdigit() and last.isdigit():
                codes += range(max(int(first), _FIRST), min(int(last), _LAST) + 1)
    return codes


class CloseRules(Settings):
    """Which close codes mean what; a code that no list names falls to one of the last two rules.

    A list that is set takes its codes out of the other lists' defaults.
    """

    end: Codes = (1000, 1008)
    """Never come back. 1000: the conversation is over. 1008, a violated policy, is what most
    servers say to a client that may not be here: it would be turned away again, for ever."""
    retry: Codes = (1001, 1005, 1006, 1011, 1014)
    """Come back by the backoff policy, whatever the reason says."""
    delayed: Codes = (SERVICE_RESTART, 1013, APPLICATION_RESTART)
    """Come back by the backoff policy, but not before the delay that the server states."""
    at_once: Codes = ()
    """Come back at once. It is none of the retries that the policy counts."""
    application: Rule = "delayed"
    """For the other codes from 4000 on. A client that stays away by mistake is lost, one that comes
    back by mistake only backs off; and an application that states a delay knows what it says."""
    otherwise: Rule = "retry"
    """For all the rest, such as 1002 (protocol error) and 1009 (message too big)."""

    @model_validator(mode="before")
    @classmethod
    def _a_list_that_is_set_beats_a_default(cls, data: Any) -> Any:  # noqa: ANN401
        if not isinstance(data, Mapping):
            return data
        given = [data[rule] for rule in _LISTS if isinstance(data.get(rule), list | tuple)]
        claimed = _covered(entry for entries in given for entry in entries)
        defaults = {
            rule: tuple(code for code in cls.model_fields[rule].default if code not in claimed)
            for rule in _LISTS
            if rule not in data
        }
        return {**defaults, **data}

    @model_validator(mode="after")
    def _each_code_in_one_list(self) -> Self:
        codes = _covered(entry for rule in _LISTS for entry in getattr(self, rule))
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise ValueError(f"each code once; named twice: {', '.join(map(str, twice))}")
        return self

    def rule(self, code: int) -> Rule:
        """The rule for a close code."""
        for rule in _LISTS:
            if code in _covered(getattr(self, rule)):
                return rule
        return self.application if code >= FIRST_APPLICATION_CODE else self.otherwise


class Kind(Enum):
    """Whether a client comes back after a close."""

    END = auto()
    RETRY = auto()
    AT_ONCE = auto()


class Disposition(NamedTuple):
    """What a client does after a close."""

    kind: Kind
    at_least: float = 0.0
    """Seconds before which it does not come back, whatever its policy says."""


def disposition(code: int, reason: str, rules: CloseRules) -> Disposition:
    """What a client does after a close with this code and reason."""
    match rules.rule(code):
        case "end":
            return Disposition(Kind.END)
        case "retry":
            return Disposition(Kind.RETRY)
        case "at_once":
            return Disposition(Kind.AT_ONCE)
        case "delayed":
            return Disposition(Kind.RETRY, min(hinted_delay(reason), LONGEST_DELAY))


def is_restart(code: int) -> bool:
    """Does the code say that the server is restarting, rather than that a connection is lost?"""
    return code in (SERVICE_RESTART, APPLICATION_RESTART)
