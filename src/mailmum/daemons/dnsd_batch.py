"""Many datagrams in one system call: recvmmsg and sendmmsg of Linux, through ctypes.

The socket module has neither.  With them an answer costs about a seventh less processor time, since
the calls are fewer and no address is turned into text and back.

A batch has slots.  Each has room for a query, for its answer and for the address that both share,
so what is received into a slot is answered from it without copying addresses.  The arrays that the
kernel reads and writes are made once and looked at through memoryviews.
"""

import ctypes
import errno
import socket
from collections.abc import Sequence
from typing import Any

SLOTS = 64
ROOM = 4096
"""Bytes for a query and for an answer; longer queries are cut, and cut ones are format errors."""

_NAME_ROOM = 28  # struct sockaddr_in6
_NAME_SIZES = {socket.AF_INET: 16, socket.AF_INET6: 28}


class _Part(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Head(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("parts", ctypes.c_void_p),
        ("part_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("head", _Head), ("length", ctypes.c_uint32))


_C = ctypes.CDLL(None, use_errno=True)
AVAILABLE = hasattr(_C, "recvmmsg") and hasattr(_C, "sendmmsg")


class Client:
    """The sender of the query in one slot, spelt out only when somebody asks."""

    __slots__ = ("_address", "_family", "_name")

    def __init__(self, family: int, name: memoryview) -> None:
        self._family = family
        self._name = name
        self._address = name[4:8] if family == socket.AF_INET else name[8:24]

    @property
    def packed(self) -> bytes:
        """The address as bytes."""
        return self._address.tobytes()

    def __getitem__(self, at: int) -> object:
        """The address as text at 0, the port at 1."""
        # struct sockaddr_in: family, port, address; sockaddr_in6 has flow information between.
        if at == 1:
            return int.from_bytes(self._name[2:4], "big")
        return socket.inet_ntop(self._family, self._address)


class Batch:
    """Slots for the datagrams of one UDP socket that does not block.

    Attributes:
        slots: for each, its number, where its query and answer begin in `received` and `answers`,
            and where their lengths stand in `received_lengths` and `answer_lengths`.
        clients: the senders, by slot.
    """

    def __init__(self, udp: socket.socket) -> None:
        self._descriptor = udp.fileno()
        received, answers = bytearray(SLOTS * ROOM), bytearray(SLOTS * ROOM)
        names = bytearray(SLOTS * _NAME_ROOM)
        self.received, self.answers = memoryview(received), memoryview(answers)
        self._parts_in, self._heads_in = _make(received, names, udp.family)
        self._parts_out, self._heads_out = _make(answers, names, udp.family)
        self.received_lengths = memoryview(self._heads_in).cast("B").cast("I")
        self.answer_lengths = memoryview(self._parts_out).cast("B").cast("L")
        self.clients: Sequence[Client] = [
            Client(udp.family, memoryview(names)[at : at + _NAME_ROOM])
            for at in range(0, len(names), _NAME_ROOM)
        ]
        step, length = ctypes.sizeof(_Message) // 4, _Message.length.offset // 4
        self.slots = [(at, at * ROOM, at * step + length, at * 2 + 1) for at in range(SLOTS)]
        self._first_in = ctypes.byref(self._heads_in)

    def receive(self) -> int:
        """Fill slots, from the first on; how many.

        Raises:
            OSError: of the socket, other than that nothing is there.
        """
        count = int(_C.recvmmsg(self._descriptor, self._first_in, SLOTS, socket.MSG_DONTWAIT, None))
        if count >= 0:
            return count
        number = ctypes.get_errno()
        if number in (errno.EAGAIN, errno.EINTR):
            return 0
        raise OSError(number, "recvmmsg")

    def send(self, start: int, end: int) -> int:
        """Send the answers in the slots from `start` to before `end`; how many could not be."""
        failed = 0
        while start < end:
            first = ctypes.byref(self._heads_out, start * ctypes.sizeof(_Message))
            sent = int(_C.sendmmsg(self._descriptor, first, end - start, socket.MSG_DONTWAIT))
            if sent <= 0:
                # It tells what is wrong with the first of them; the others may be well.
                failed += 1
                sent = 1
            start += sent
        return failed


def _make(data: bytearray, names: bytearray, family: int) -> tuple[Any, Any]:
    """The arrays of struct iovec and struct mmsghdr over some data and addresses."""
    parts, messages = (_Part * SLOTS)(), (_Message * SLOTS)()
    for at in range(SLOTS):
        parts[at].base = ctypes.addressof(ctypes.c_char.from_buffer(data, at * ROOM))
        parts[at].length = ROOM
        head = messages[at].head
        head.name = ctypes.addressof(ctypes.c_char.from_buffer(names, at * _NAME_ROOM))
        head.name_length = _NAME_SIZES[socket.AddressFamily(family)]
        head.parts = ctypes.addressof(parts[at])
        head.part_count = 1
    return parts, messages
