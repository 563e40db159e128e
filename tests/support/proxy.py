"""A bad line to a server on loopback: slow, silent, or cut, as a test wants it.

with bad_line(cluster.port) as line:
    line.delay = 0.1      # for each piece, either way
    line.cut()            # whoever is connected is thrown out, newcomers too
    line.mend()
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

_PIECE = 65536


class Line:
    """Connections to one port, passed on to another."""

    def __init__(self, behind: int) -> None:
        self.behind = behind
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_cut = False
        self.delay = 0.0
        self.port: int = self._listening.getsockname()[1]

    def run(self) -> None:
        """Take connections until closed."""
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if self._is_cut:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self.behind))
                except ConnectionRefusedError:
                    near.close()
                    continue
                with self._lock:
                    self._open |= {near, far}
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def cut(self) -> None:
        """Throw everybody out, and whoever comes."""
        self._is_cut = True
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def mend(self) -> None:
        """Take connections again, and pass on at once."""
        self._is_cut, self.delay = False, 0.0

    def close(self) -> None:
        """End it."""
        # Closing alone does not wake the thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(_PIECE):
                time.sleep(self.delay)
                other.sendall(piece)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        one.close()
        with self._lock:
            self._open.discard(one)


@contextlib.contextmanager
def bad_line(behind: int) -> Iterator[Line]:
    """A line to a port, for the length of a `with` block."""
    line = Line(behind)
    thread = threading.Thread(target=line.run)
    thread.start()
    try:
        yield line
    finally:
        line.close()
        thread.join(10)
