"""How the web server ends so that nobody notices: a connection that was made is answered, the next one goes elsewhere.

gunicorn stops accepting at once, and connections that the kernel has accepted for it by then are reset, with the
requests on them. Here the master first lets balancers know, then turns new connections away, and only then stops.
"""

import ctypes
import logging
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any

from catalog import draining

SO_ATTACH_FILTER = 26
LAST_CALL_SECONDS = 0.2  # for the handshakes that are under way

# A packet with SYN and without ACK is dropped, all others pass: load the flags, mask the two, compare.
_NO_NEW_CONNECTIONS = (
    (0x30, 0, 0, 13),
    (0x54, 0, 0, 0x12),
    (0x15, 0, 1, 0x02),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFF),
)

log = logging.getLogger("gunicorn.error")


def arrange(server: Any, drain_seconds: float) -> None:
    """Have gunicorn's master drain before it stops in peace; gunicorn has no hook there."""
    stop = server.stop

    def stop_drained(graceful: bool = True) -> None:
        if graceful and server.LISTENERS:
            _drain(server, drain_seconds)
        stop(graceful)

    server.stop = stop_drained


def _drain(server: Any, seconds: float) -> None:
    """Answer on for so long, not ready any more; then let no connection begin that would be reset."""
    draining.begin()
    time.sleep(seconds)
    if not _is_shared(server):
        turn_away(listener.sock for listener in server.LISTENERS)
    time.sleep(LAST_CALL_SECONDS)


def _is_shared(server: Any) -> bool:
    """Tell whether another program goes on with these sockets, as after SIGUSR2 or where systemd holds them."""
    return bool(server.reexec_pid or server.master_pid or server.systemd)


def turn_away(listeners: Iterable[socket.socket]) -> None:
    """Drop the first packet of each new connection: its client tries again, and is refused once nobody listens.

    Without Linux' filters nothing happens, and a connection that begins in the last moment is reset.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in _NO_NEW_CONNECTIONS))
    filter_ = struct.pack("@HP", len(_NO_NEW_CONNECTIONS), ctypes.addressof(program))
    for listener in listeners:
        try:
            listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter_)
        except OSError as error:
            log.warning("New connections cannot be turned away before the end: %s", error)
