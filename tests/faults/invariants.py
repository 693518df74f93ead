"""What must hold of the lives of all clients, looked at in the end."""

import math

from server_stub.outage import OutageKind
from simulator.core.close_codes import Kind, disposition
from simulator.core.lifecycle import AttemptEnded, Connected, Disconnected, Failed, Reconnecting
from simulator.core.outcomes import NoticedBy, Outcome

from .witness import TRUTHFUL

GIVES_UP = "nobody gives up without a reason"
SILENT = "nothing gets through a cut path"
SHUT = "a node that is down lets nobody in"
GONE = "a restart leaves nobody connected"
NOTICED = "silence is noticed within the heartbeat's interval and timeout"

_ROUNDING = 1e-6
_NEWS = (Outcome.CONNECTED, Outcome.REFUSED, Outcome.REJECTED, Outcome.RESET, Outcome.EOF)
"""Outcomes that need an answer from the other side."""


def check_lives(witness, cohorts):
    """Every client tells a story that makes sense."""
    for number, life in sorted(witness.lives.items()):
        story = _Story(witness, number, cohorts[number])
        for event in life:
            story.go_on(event)


class _Story:
    """What one client has said so far."""

    def __init__(self, witness, number, cohort):
        self._witness = witness
        self._number = number
        self._cohort = cohort
        self._episode = 0
        self._attempt = 0
        self._connected_at = None
        self._lost_at = None
        self._n_retries = 0
        """In a row, as the policy counts them."""
        self._announced = (0, 1)
        self._has_failed = False

    def go_on(self, event):
        """What the client says next."""
        if self._has_failed:
            self._object("said something after it had given up", event)
        match event:
            case AttemptEnded():
                self._attempted(event)
            case Connected():
                self._connected(event)
            case Disconnected():
                self._lost(event)
            case Reconnecting():
                self._announces(event)
            case Failed():
                self._has_failed = True
                self._gave_up(event)

    def _attempted(self, event):
        if (event.episode, event.attempt) != (self._episode, self._attempt + 1):
            self._object(f"was in {(self._episode, self._attempt)}", event)
        self._attempt += 1
        if not event.due_at <= event.started_at + _ROUNDING <= event.ended_at + 2 * _ROUNDING:
            self._object("was too early", event)

    def _connected(self, event):
        downtime = 0.0 if self._lost_at is None else event.at - self._lost_at
        if (event.was_reconnect, event.attempt) != (self._lost_at is not None, self._attempt):
            self._object(f"lost its last one at {self._lost_at}", event)
        if abs(event.downtime - downtime) > _ROUNDING:
            self._object(f"was down for {downtime}", event)
        self._connected_at = event.at
        if self._cohort.policy.reset_after is None:
            self._n_retries = 0

    def _lost(self, event):
        if self._connected_at is None or event.episode != self._episode + 1:
            self._object(f"was in episode {self._episode}", event)
        else:
            lasting = self._cohort.policy.reset_after
            if lasting is not None and event.at - self._connected_at >= lasting:
                self._n_retries = 0
        self._episode, self._attempt = event.episode, 0
        self._lost_at, self._connected_at = event.at, None
        self._last_loss = event

    def _announces(self, event):
        if self._connected_at is not None or event.attempt != self._attempt + 1:
            self._object(f"was at attempt {self._attempt}", event)
        if (self._episode, event.attempt) != self._announced:  # Otherwise it is only put off.
            self._n_retries += 1
        self._announced = (self._episode, event.attempt)

    def _gave_up(self, event):
        limit = self._cohort.policy.max_attempts
        loss = self._lost_at is not None and self._attempt == 0 and self._last_loss
        if (
            loss
            and disposition(loss.close_code, loss.reason, self._cohort.close_codes).kind is Kind.END
        ):
            return
        if limit is None or self._n_retries != limit:
            what = f"client {self._number} after {self._n_retries} retries of {limit}: {event}"
            self._witness.object(GIVES_UP, what)

    def _object(self, what, event):
        self._witness.object(TRUTHFUL, f"client {self._number} {what}: {event}")


def check_silence(
    witness, cohorts, windows, latency, *, throttled=(), talkative=(), has_events=False
):
    """A cut path tells nothing, and neither does a frozen server; heartbeats find that out.

    Args:
        witness: What was seen.
        cohorts: By client.
        windows: The outages.
        latency: Seconds that bytes may still travel when an outage begins.
        throttled: Clients whose page was hidden, so that their heartbeats come late.
        talkative: Clients that may be in the middle of a sentence which nobody takes; they notice
            by the sentence's own timeout.
        has_events: Whether the server speaks by itself: then a client whose own words are lost
            still hears signs of life.
    """
    for window in windows:
        if window.kind not in (OutageKind.NETWORK, OutageKind.FREEZE):
            continue
        ends_at = window.ends_at - _ROUNDING
        for number, life in sorted(witness.lives.items()):
            cohort = cohorts[number]
            if window.cohort not in (None, cohort.name):
                continue
            starts_at = _silent_from(window, windows, cohort.name) + latency + _ROUNDING
            during = [event for event in life if starts_at < _instant(event) < ends_at]
            if window.kind is OutageKind.NETWORK and window.direction != "up":
                _check_nothing_is_heard(witness, during)
            hears_events = window.direction == "up" and has_events
            if cohort.heartbeat is not None and number not in throttled and not hears_events:
                turns = 2 if number in talkative else 1
                notices_by = (
                    starts_at + cohort.heartbeat.interval + turns * cohort.heartbeat.timeout
                )
                if (
                    notices_by < min(ends_at, witness.closed_at.get(number, math.inf))
                    and _was_connected(life, window.starts_at, notices_by)
                    and window.hits(_node_at(witness, number, life, window.starts_at))
                ):
                    what = f"client {number} did not notice the outage at {window.starts_at:.6g} s"
                    witness.object(NOTICED, what)


def _silent_from(window, windows, cohort):
    """When the last sign of life can arrive: what a cut path held back comes when it heals."""
    held_back = [
        cut.ends_at
        for cut in windows
        if cut.kind is OutageKind.NETWORK is not window.kind
        and cut.cohort in (None, cohort)
        and cut.starts_at < window.ends_at
    ]
    return max([window.starts_at, *held_back])


def _instant(event):
    return event.ended_at if isinstance(event, AttemptEnded) else getattr(event, "at", -1.0)


def _check_nothing_is_heard(witness, events):
    for event in events:
        if (isinstance(event, AttemptEnded) and event.outcome in _NEWS) or (
            isinstance(event, Disconnected)
            and event.noticed_by not in (NoticedBy.HEARTBEAT, NoticedBy.OFFLINE)
        ):
            witness.object(SILENT, f"{event}")


def _node_at(witness, number, life, at):
    """Which node a client was last sent to by then; None for none."""
    ended = [event for event in life if isinstance(event, AttemptEnded) and event.ended_at <= at]
    return witness.nodes.get((number, ended[-1].episode)) if ended else None


def _was_connected(life, starts_at, ends_at):
    """Throughout, on one connection."""
    is_connected = False
    for event in life:
        if _instant(event) > ends_at:
            break
        if isinstance(event, Connected):
            is_connected = event.at <= starts_at
        elif isinstance(event, Disconnected | Failed):
            is_connected = False
    return is_connected


def check_downtime(witness, cohorts, windows, latency, *, talkative=()):
    """A node that is down lets nobody in; and a restart leaves nobody connected.

    Args:
        witness: What was seen.
        cohorts: By client.
        windows: The outages.
        latency: Seconds that bytes travel at most. What is read arrives one thing after the other,
            so that a farewell can be two behind.
        talkative: Clients that may be in the middle of a sentence, and do not listen.
    """
    for window in windows:
        if not window.kind.stops_the_node:
            continue
        for number, life in sorted(witness.lives.items()):
            if _may_hear_late(window, windows, cohorts[number].name, latency):
                continue
            starts_at = window.starts_at + latency + _ROUNDING
            for event in life:
                if (
                    isinstance(event, Connected)
                    and starts_at < event.at < window.ends_at
                    and window.hits(_node_at(witness, number, life, event.at))
                ):
                    witness.object(SHUT, f"client {number} at {event.at:.6g} s")
            all_gone_at = starts_at + window.drain_over + 2 * latency
            if (
                window.kind.is_restart
                and number not in talkative
                and all_gone_at < witness.closed_at.get(number, math.inf)
                and _was_connected(life, window.starts_at - latency, all_gone_at)
                and window.hits(_node_at(witness, number, life, window.starts_at - latency))
            ):
                witness.object(GONE, f"client {number} at {all_gone_at:.6g} s")


def _may_hear_late(window, windows, cohort, latency):
    """Does what stands on the way keep something back, or for good, from what happens then?"""
    return any(
        other.kind.is_on_the_way
        and other.cohort in (None, cohort)
        and other.starts_at <= window.ends_at + 3 * latency
        and (other.kind is OutageKind.IDLE_TIMEOUT or other.ends_at >= window.starts_at)
        for other in windows
    )
