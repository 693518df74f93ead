"""What a report says, whatever it is written in: values that renderers only lay out."""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "bad", "plain"]
"""How a reader should take something; words say it as well, for colour is not enough."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One of the first screen's answers."""

    term: str
    value: str
    detail: str = ""
    command: str = ""
    """What to type to learn more."""
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One entry of a table."""

    text: str
    mark: str = ""
    """"best", "worst" or nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataTable:
    """Rows under headers; the first cell of a row is its header."""

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A figure, as bytes of whichever format is smaller."""

    name: str
    caption: str
    """What it shows."""
    finding: str
    """What is seen in it, for those who cannot see it."""
    media_type: Literal["image/svg+xml", "image/png"]
    data: bytes
    file: str
    """Where the same figure lies beside the report."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One line of a list."""

    text: str
    basis: str = ""
    """The metrics that it rests on."""
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Lines under a title of their own; without a title they belong to the section."""

    title: str = ""
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A part of the page below the first screen."""

    key: str
    """A word for links."""
    title: str
    text: str = ""
    tables: tuple[DataTable, ...] = ()
    groups: tuple[Group, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A whole report."""

    about: str
    """What was run, in half a line."""
    headline: str
    reason: str
    tone: Tone
    facts: tuple[Fact, ...]
    picture: Picture | None
    """The one figure that shows it."""
    commands: tuple[str, ...]
    """What to type to get the same again; empty where no command can."""
    no_command: str = ""
    """Why not."""
    sections: tuple[Section, ...] = ()
    made_by: str = ""
