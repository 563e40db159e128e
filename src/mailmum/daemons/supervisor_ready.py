"""How a part says that it answers: the notification protocol of systemd (sd_notify(3)).

A part calls `tell_ready` once its sockets are bound and it can answer.  The message goes to the
datagram socket named by NOTIFY_SOCKET, whoever set it: the supervisor of `mailmum up`, or systemd
for a unit with `Type=notify`.  Without one nothing happens.

Asking from outside (does the port answer?) is no substitute: with the port taken by another
program, that program answers, and a part that will never start looks ready.
"""

import os
import secrets
import socket

_VARIABLE = "NOTIFY_SOCKET"
_READY = b"READY=1"
_LARGEST = 4096


def tell_ready() -> bool:
    """Say that this process answers; whether somebody was told."""
    address = os.environ.get(_VARIABLE, "")
    if not address:
        return False
    # A leading @ stands for the NUL byte of Linux's abstract namespace.
    path = f"\0{address[1:]}" if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.connect(path)
            out.send(_READY)
    except OSError:
        return False
    return True


class Inbox:
    """The supervisor's end for one start of one part.

    Each start has its own, with a name that cannot be guessed: a late message of a former start or
    of another part can never count.
    """

    def __init__(self) -> None:
        name = f"mailmum-{secrets.token_hex(16)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(f"\0{name}")
        self.environment = {_VARIABLE: f"@{name}"}

    def fileno(self) -> int:
        """The descriptor, for a selector."""
        return self._socket.fileno()

    def told_ready(self) -> bool:
        """Read what has come; whether READY=1 was among it."""
        ready = False
        while True:
            try:
                message = self._socket.recv(_LARGEST)
            except BlockingIOError:
                return ready
            ready = ready or _READY in message.split(b"\n")

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
