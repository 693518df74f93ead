"""Whether a node can take notice of what happens elsewhere: not while it is frozen, sans-IO."""

import math
from collections.abc import Callable

Action = Callable[[float], None]


class Attention:
    """What reaches a frozen node waits for the thaw; what reaches one that dies is lost.

    So a stage that several nodes share can finish the job of a node that is frozen: the node gets
    round to it when it thaws.
    """

    def __init__(self) -> None:
        self._is_awake = True
        self._waiting: list[Action] = []
        self._goes_down_at = math.inf

    def goes_down_at(self, at: float) -> None:
        """The next outage is known; what happens at that very instant comes too late (RULES 3)."""
        self._goes_down_at = at

    def call(self, action: Action, due_at: float, now: float) -> None:
        """Do something that was due then now, or at the thaw; tell it the time."""
        if self._is_awake and due_at < self._goes_down_at:
            action(now)
        else:
            self._waiting.append(action)

    def freeze(self) -> None:
        """The node takes no notice of anything any more."""
        self._is_awake = False

    def thaw(self, now: float) -> None:
        """It catches up, in order."""
        self._is_awake = True
        waiting, self._waiting = self._waiting, []
        for action in waiting:
            action(now)

    def lose(self) -> None:
        """The node dies, and with it all that waited."""
        self._waiting.clear()
