"""Which threads of a daemon come first where a core is taken."""

import ctypes
import os
import platform
import re
import socket
import struct
import threading
import time

from mailmum.daemons.threads import KeptThread
from tests.dns.both import extension

_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}


def slice_of(number: int) -> int:
    """How long a thread wants to run at a time, in nanoseconds."""
    room = ctypes.create_string_buffer(_ATTRIBUTES.size)
    call = _SCHED_GETATTR[platform.machine()]
    assert ctypes.CDLL(None).syscall(call, number, room, _ATTRIBUTES.size, 0) == 0
    return int(_ATTRIBUTES.unpack(room.raw)[5])


def test_a_thread_can_stand_back() -> None:
    """And nobody else does with it."""
    found: list[int] = []

    def note() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    for back in (False, True):
        KeptThread("any", note, back=back).join(5)
    note()
    assert found == [before, min(before + 5, 19), before]


def test_a_thread_that_answers_gets_its_turn_soon() -> None:
    """Where the kernel has slices of any length (Linux 6.12), without anybody's leave."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        service = extension().Service([sock.fileno()], False)
        thread = threading.Thread(target=service.run)
        thread.start()
        try:
            assert thread.native_id is not None
            wanted = _wanted()
            while wanted and slice_of(thread.native_id) != wanted:
                assert thread.is_alive()
                time.sleep(0.001)
        finally:
            service.stop()
            thread.join()


def _wanted() -> int:
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    assert found is not None
    return 100_000 if (int(found[1]), int(found[2])) >= (6, 12) else 0
