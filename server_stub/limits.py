"""What one peer may take of the server before it is cut off: sizes, counts and seconds.

Whatever a peer does, the memory that it holds is bounded by these sizes and the time that it gets
by these seconds; how many there are at once is bounded by `max_unread` (peers that have not asked
for anything yet) and by `max_connections` (those that have).
"""

from server_stub.settings import PositiveCount, PositiveSeconds, Settings


class Limits(Settings):
    """`[server.limits]`: bounds on bad peers, far from what a good one needs."""

    max_request_bytes: PositiveCount = 16_384
    """Bytes of an upgrade request, all headers together; beyond them HTTP 431. As Node allows."""
    max_message_bytes: PositiveCount = 1_048_576
    """Bytes of a message, all fragments together; beyond them close code 1009. As most WebSocket
    libraries allow."""
    max_unsent_bytes: PositiveCount = 1_048_576
    """Bytes that may wait for a peer to read them. While any wait, the peer is not listened to; if
    these many wait when there is more to say, it is reset."""
    max_pending: PositiveCount = 64
    """Requests of one peer (heartbeats, operations, syncs) that may wait for workers or stages.
    While as many do, the peer is not listened to."""
    max_unread: PositiveCount = 16_384
    """Peers that have connected but not asked for anything yet; beyond them the one that has been
    silent longest is reset."""
    message_timeout: PositiveSeconds = 30.0
    """Seconds that a peer may take over a message that it has begun; then close code 1008."""
    close_timeout: PositiveSeconds = 1.0
    """Seconds that a peer gets to take our last words: to answer a close frame, or to read why it
    was turned away."""
