"""A bell between threads: rung in one, it wakes another that waits in `select` for this and other things."""

import contextlib
import socket


class Bell:
    """Wait for it by its `fileno()`; ringing it twice before it is heard is as good as once."""

    def __init__(self) -> None:
        self._rope, self._sound = socket.socketpair()
        self._rope.setblocking(False)
        self._sound.setblocking(False)

    def ring(self) -> None:
        """Wake whoever waits."""
        with contextlib.suppress(OSError):  # rung often enough already, or taken down
            self._rope.send(b"!")

    def hear(self) -> None:
        """Take note, so that the next wait waits again."""
        with contextlib.suppress(BlockingIOError):
            self._sound.recv(4096)

    def fileno(self) -> int:
        """Return what to wait for."""
        return self._sound.fileno()

    def close(self) -> None:
        """Take it down."""
        self._rope.close()
        self._sound.close()
