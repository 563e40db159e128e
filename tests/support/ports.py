"""Free ports on loopback for the servers that tests start.

Asking the kernel for port 0 hands out ephemeral ports, which any outgoing connection may take
before the server under test binds them. So ports come from below that range, each pytest-xdist
worker has a slice of its own, and no port is given twice in one process.
"""

import itertools
import os
import random
import re
import socket
from typing import Literal

Kind = Literal["tcp", "udp", "both"]

_FIRST, _LAST = 18_000, 32_000
_SLICES = 14
_TYPES: dict[Kind, tuple[socket.SocketKind, ...]] = {
    "tcp": (socket.SOCK_STREAM,),
    "udp": (socket.SOCK_DGRAM,),
    "both": (socket.SOCK_STREAM, socket.SOCK_DGRAM),
}


def _slice() -> range:
    worker = re.search(r"\d+$", os.environ.get("PYTEST_XDIST_WORKER", ""))
    number = (int(worker[0]) + 1) % _SLICES if worker else 0
    size = (_LAST - _FIRST) // _SLICES
    return range(_FIRST + number * size, _FIRST + (number + 1) * size)


def _candidates() -> "itertools.cycle[int]":
    # A random start keeps two runs at the same time apart.
    ports = list(_slice())
    start = random.SystemRandom().randrange(len(ports))
    return itertools.cycle(ports[start:] + ports[:start])


_next = _candidates()


def is_free(port: int, kind: Kind = "tcp", host: str = "127.0.0.1") -> bool:
    """Whether a server could bind the port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for type_ in _TYPES[kind]:
        with socket.socket(family, type_) as probe:
            # As servers do: a port whose last connections linger in TIME_WAIT is free.
            if type_ is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_port(kind: Kind = "tcp", host: str = "127.0.0.1") -> int:
    """A port that nothing listens on; `both` is free over TCP and UDP, as DNS needs it.

    Raises RuntimeError when the whole slice is taken.
    """
    for _ in _slice():
        port = next(_next)
        if is_free(port, kind, host):
            return port
    raise RuntimeError(f"no free {kind} port on {host} in {_slice()}; end what holds them")
