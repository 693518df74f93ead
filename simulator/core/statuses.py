"""What an HTTP status in the place of the 101 means for the client: try again, or stay away.

    [client.statuses]
    end = [429, "400-428"]

Sans-IO.
"""

from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag

from server_stub.settings import Settings

_FIRST, _LAST = 200, 599
"""Of the statuses that can end a handshake: 1xx are no answer yet."""
UNAVAILABLE = 503
"""What a server of ours answers that is going down, or has no place."""

Status = Annotated[int, Field(ge=_FIRST, le=_LAST, strict=True)]


def _checked_range(text: str) -> str:
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and _FIRST <= int(first) <= int(last) <= _LAST):
        raise ValueError(
            f"allowed: a range of statuses from {_FIRST} to {_LAST}, such as '400-499'"
        )
    return text


def _kind_of_entry(value: object) -> str:
    return "range" if isinstance(value, str) else "status"


Statuses = tuple[
    Annotated[
        Annotated[Status, Tag("status")]
        | Annotated[str, AfterValidator(_checked_range), Tag("range")],
        Discriminator(_kind_of_entry),
    ],
    ...,
]
"""Statuses one by one, or from one to another: (429, "500-599")."""


class StatusRules(Settings):
    """Which answers to a handshake end reconnecting."""

    end: Statuses = ()
    """Never try again. None by default: a browser's WebSocket does not tell its page the status, so
    that most clients cannot know it."""

    def ends(self, status: int | None) -> bool:
        """Does an answer with this status end it all; None for no answer."""
        return status is not None and any(_covers(entry, status) for entry in self.end)


def _covers(entry: int | str, status: int) -> bool:
    if isinstance(entry, int):
        return entry == status
    first, _, last = entry.partition("-")
    return int(first) <= status <= int(last)
