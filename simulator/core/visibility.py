"""Timers of a page that nobody looks at, throttled as browsers do, sans-IO.

The rules are Chrome's since version 88 (January 2021), as its developers describe them in "Heavy
throttling of chained JS timers beginning in Chrome 88" on developer.chrome.com, and on
chromestatus.com as "intensive wake up throttling": the timers of a hidden page run on wake-ups that
are one second apart; once it has been hidden for five minutes, chained timers (a timer set by a
timer, five deep: what every `setInterval` soon is) only run on wake-ups that are one minute apart.
Pages that play sound or hold a WebRTC connection are spared; ours do neither. (One refinement is
left out: a chained timer may also use a wake-up in between if none has run for a minute.) Other
browsers have rules of their own, to a similar effect.

Messages, closes and errors of a WebSocket are no timers and arrive at once, so a hidden client
learns of a close at once, and then waits too long: a restart of the server meets all hidden tabs on
their slow timers. A delay that is set when a connection closes is not chained; a heartbeat is.

A page that comes back into view runs the timers that are overdue. A good client does not wait for
them, but tries at once, and a bad moment to do so is when thousands open their laptops at nine; so
it spreads, with `connectivity.sooner`.
"""

import math
from typing import Literal, NamedTuple

from server_stub.settings import Settings

SHORT_WAKE_UP = 1.0
"""Seconds between wake-ups of a hidden page."""
LONG_WAKE_UP = 60.0
"""Seconds between wake-ups for chained timers once it has been hidden for long."""
HIDDEN_FOR_LONG = 300.0
"""Seconds hidden from which on that is so."""


class PageRules(Settings):
    """What a client's library makes of its page being in view or not."""

    hidden: Literal["throttled", "no-retry"] = "throttled"
    """While the page is hidden, retries are as late as its timers, or are not made at all."""
    shown: Literal["spread", "at-once", "timers"] = "spread"
    """Once it comes into view, a retry that is waited for is made within a window, as ours do; at
    once; or when its timer has run out, as where a library does not look."""


def throttled(
    due_at: float, hidden_since: float | None, *, phase: float = 0.0, chained: bool = True
) -> float:
    """When a timer really runs, if the page stays as it is.

    Args:
        due_at: When it should run.
        hidden_since: When the page was hidden; None while it is visible.
        phase: In [0, 1): where in the minute this browser's wake-ups lie. They are aligned to its
            machine's clock, so across a herd the phases are uniform.
        chained: Whether it was set by a timer, itself set by a timer, and so on.

    Returns:
        The first wake-up that is not before `due_at`; `due_at` itself for what is due before the
        page was hidden.
    """
    if hidden_since is None or due_at < hidden_since:
        return due_at
    shift = phase * LONG_WAKE_UP
    at = _next_tick(due_at, SHORT_WAKE_UP, shift)
    if chained and at >= hidden_since + HIDDEN_FOR_LONG:
        return _next_tick(at, LONG_WAKE_UP, shift)
    return at


class HiddenPage(NamedTuple):
    """A page that is out of view."""

    since: float
    phase: float
    """In [0, 1): where in the minute its browser's wake-ups lie."""

    def runs_at(self, due_at: float, *, chained: bool = True) -> float:
        """When one of its timers really runs; see `throttled`."""
        return throttled(due_at, self.since, phase=self.phase, chained=chained)


def _next_tick(at: float, step: float, shift: float) -> float:
    """The first multiple of `step`, shifted, that is not before `at`."""
    n = math.ceil((at - shift) / step)
    # The division rounds: a tick must be its own next tick, and none may lie before `at`.
    if shift + (n - 1) * step >= at:
        n -= 1
    elif shift + n * step < at:
        n += 1
    return shift + n * step
