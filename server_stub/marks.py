"""What tells clients apart: something that they say, or where they come from; sans-IO."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from server_stub.wire import query_of


class Request(Protocol):
    """What a peer says of itself when it knocks."""

    @property
    def target(self) -> str:
        """Of its request."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By name in lower case."""

    @property
    def address(self) -> str:
        """Where it comes from, without the port; empty if nobody knows."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What clients are told apart by."""

    kind: Literal["query", "header", "address"]
    name: str = ""

    @property
    def names_clients(self) -> bool:
        """Does it belong to one client alone?"""
        return self.kind != "address"

    @classmethod
    def parse(cls, text: str) -> "Mark":
        """Read `query:NAME`, `header:NAME` or `address`.

        Raises:
            ValueError: It is none of these.
        """
        kind, _, name = text.partition(":")
        match kind:
            case "query" | "header" if name:
                return cls(kind, name if kind == "query" else name.lower())
            case "address" if text == kind:
                return cls("address")
        raise ValueError("allowed: query:NAME, header:NAME or address")

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind

    def of(self, request: Request) -> str | None:
        """The mark that a peer bears; None for none."""
        match self.kind:
            case "query":
                values = query_of(request.target).get(self.name)
                return values[0] if values else None
            case "header":
                return request.headers.get(self.name)
            case "address":
                return request.address or None
