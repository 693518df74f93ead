"""Who listens to which topic, sans-IO."""

from typing import Generic, TypeVar

Listener = TypeVar("Listener")


class Topics(Generic[Listener]):
    """Topics come into being with their first listener, and go with their last one."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[Listener, None]] = {}  # In order of arrival.

    def join(self, topic: str, listener: Listener) -> None:
        """Listen to a topic from now on."""
        self._listeners.setdefault(topic, {})[listener] = None

    def leave(self, topic: str, listener: Listener) -> None:
        """Listen to it no more."""
        listeners = self._listeners.get(topic, {})
        listeners.pop(listener, None)
        if not listeners:
            self._listeners.pop(topic, None)

    def listeners(self, topic: str) -> tuple[Listener, ...]:
        """Who listens to a topic, the longest first."""
        return tuple(self._listeners.get(topic, ()))
