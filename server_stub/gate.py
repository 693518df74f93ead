"""Something that tasks wait in front of while it is shut."""

import trio


class Gate:
    """Open or shut, as it is told; whoever wants through waits until it is open."""

    def __init__(self, *, is_open: bool) -> None:
        self._opened = trio.Event()
        self.set(is_open=is_open)

    def set(self, *, is_open: bool) -> None:
        """Open it, or shut it."""
        if is_open:
            self._opened.set()
        elif self._opened.is_set():
            self._opened = trio.Event()

    @property
    def is_open(self) -> bool:
        """Is it?"""
        return self._opened.is_set()

    async def passed(self) -> None:
        """Wait until it is open; no checkpoint when it already is."""
        while not self._opened.is_set():
            await self._opened.wait()
