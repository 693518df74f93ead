"""What herd's client and the stub say to each other once they are connected, as JSON texts.

A message is an object with a tag under "t" and its values under one or two letters, which stay as
they are: a recorded conversation can be read by a later version. Unknown keys are skipped. What is
not ours (the application's "ping" and "pong", the texts of a foreign server, garbage) decodes to
None and never raises.

Events are their ids. Those of one epoch are consecutive integers from 1, and the epochs of a server
grow; so first and last say all about a run of them, and a filler stands in for the bodies.

The hint when to come back is no message but the reason of a close frame: {"retry_after": 5}.
"""

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple


class Sync(NamedTuple):
    """Client to server: tell me what I missed."""

    epoch: int | None
    """The history of the last event seen; None asks for the whole state."""
    after: int
    """Id of the last event seen."""


class Operation(NamedTuple):
    """Client to server: do this, once, however often I say it."""

    key: str
    """Idempotency key."""
    body: str


class Event(NamedTuple):
    """Server to client: this has just happened."""

    epoch: int
    id: int


class Batch(NamedTuple):
    """Server to client, the answer to a Sync: these events you missed."""

    epoch: int
    first_id: int
    last_id: int
    """Of consecutive ids; one below `first_id` when nothing was missed."""
    size: int = 0
    """Characters of filler, for the bodies of the events."""


class Snapshot(NamedTuple):
    """Server to client, the answer to a Sync that no batch can serve: the whole state."""

    epoch: int
    latest: int
    """Id of the last event that the state contains; 0 for none."""
    size: int = 0
    """Characters of filler, for the state."""


class Ack(NamedTuple):
    """Server to client: the operation has been applied."""

    key: str
    duplicate: bool = False
    """It had been applied before, and was not applied again."""


class Nack(NamedTuple):
    """Server to client: the operation is rejected for good; sending it again is no use."""

    key: str
    reason: str


Message = Sync | Operation | Event | Batch | Snapshot | Ack | Nack

_LARGEST = 2**53 - 1
"""The largest integer that every reader of JSON keeps exact."""


def _number(value: Any) -> int:  # noqa: ANN401 - whatever a peer sent
    if type(value) is int and 0 <= value <= _LARGEST:
        return value
    raise ValueError


def _number_or_none(value: Any) -> int | None:  # noqa: ANN401
    return None if value is None else _number(value)


def _text(value: Any) -> str:  # noqa: ANN401
    if type(value) is str:
        return value
    raise ValueError


def _flag(value: Any) -> bool:  # noqa: ANN401
    if type(value) is bool:
        return value
    raise ValueError


def _filler_size(value: Any) -> int:  # noqa: ANN401
    return 0 if value is None else len(_text(value))


_FILLER = "f"

_Keys = tuple[tuple[str, Callable[[Any], Any]], ...]

_SHAPES: dict[str, tuple[type[Message], _Keys]] = {
    "sync": (Sync, (("e", _number_or_none), ("a", _number))),
    "op": (Operation, (("k", _text), ("b", _text))),
    "event": (Event, (("e", _number), ("i", _number))),
    "batch": (Batch, (("e", _number), ("i", _number), ("n", _number), (_FILLER, _filler_size))),
    "state": (Snapshot, (("e", _number), ("n", _number), (_FILLER, _filler_size))),
    "ack": (Ack, (("k", _text), ("d", _flag))),
    "nack": (Nack, (("k", _text), ("r", _text))),
}
"""By tag: the message, and its values in order, each with its key and its check."""

_TAGS = {shape: tag for tag, (shape, _) in _SHAPES.items()}


def encode(message: Message) -> str:
    """The text of a message: ASCII, on one line."""
    tag = _TAGS[type(message)]
    data: dict[str, Any] = {"t": tag}
    for (key, _), value in zip(_SHAPES[tag][1], message, strict=True):
        data[key] = value
    if size := data.pop(_FILLER, 0):
        data[_FILLER] = "." * size
    return json.dumps(data, separators=(",", ":"))


def decode(text: str) -> Message | None:
    """The message that a text is; None for whatever is not one of ours."""
    data = _object(text)
    try:
        shape, keys = _SHAPES[data["t"]]
        message = shape(*(check(data.get(key)) for key, check in keys))
    except (KeyError, TypeError, ValueError):
        return None
    return message if _makes_sense(message) else None


def _object(text: str) -> dict[str, Any]:
    """The JSON object that a text is; empty for whatever is none."""
    if not text.startswith("{"):
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _makes_sense(message: Message) -> bool:
    match message:
        case Event():
            return message.id > 0
        case Batch():
            return 0 < message.first_id <= message.last_id + 1
        case _:
            return True


def encode_hint(retry_after: float) -> str:
    """The reason of a close frame that asks the client to stay away for so many seconds."""
    return json.dumps({"retry_after": retry_after}, separators=(",", ":"))


def hinted_delay(reason: str) -> float:
    """Seconds that the reason of a close frame asks to stay away; 0 when it says no such thing."""
    value = _object(reason).get("retry_after")
    if type(value) is not int and type(value) is not float:
        return 0.0
    try:
        seconds = float(value)
    except OverflowError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
