"""Nothing that goes wrong with a socket keeps a processor busy, or keeps others from answers."""

import os
import resource
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mailmum.compiled import load
from mailmum.daemons.crew import Crew
from mailmum.daemons.dnsd_options import DnsdOptions
from mailmum.daemons.dnsd_sockets import bind_sets
from mailmum.daemons.dnsd_worker import Worker
from tests.daemons.dnsd_kit import (
    QUICK,
    ZONE,
    Database,
    Sink,
    Source,
    codes,
    serving,
)
from tests.daemons.test_dnsd_processes import ROOT, command, environment
from tests.support.ports import free_port
from tests.support.process import running
from tests.support.waiting import eventually

LONG = 0.4
"""Seconds for which a thread is watched."""

ENOUGH = 0.1
"""Of that time a thread that has nothing to do may work; one that spins works all of it."""

Make = Callable[[ExitStack], int]


def udp(stack: ExitStack) -> socket.socket:
    """A UDP socket on loopback that does not block."""
    sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def shut_down(stack: ExitStack) -> int:
    """Poll says that there is something, for ever; recvmmsg that there is nothing."""
    sock = udp(stack)
    sock.connect(sock.getsockname())
    sock.shutdown(socket.SHUT_RDWR)
    return sock.fileno()


def with_errors(stack: ExitStack) -> int:
    """ICMP says that nobody is there, and nobody reads the queue of errors."""
    nobody = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    nobody.bind(("127.0.0.1", 0))
    sock = udp(stack)
    sock.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
    sock.connect(nobody.getsockname())
    nobody.close()
    sock.send(b"x")
    return sock.fileno()


def no_datagrams(stack: ExitStack) -> int:
    """A listening socket with a connection that waits."""
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    stack.enter_context(socket.create_connection(server.getsockname()))
    return server.fileno()


def never_connected(stack: ExitStack) -> int:
    """A stream socket, which poll says has been hung up."""
    return stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)).fileno()


def no_socket(stack: ExitStack) -> int:
    """A file, which can always be read."""
    return stack.enter_context(Path("/dev/zero").open("rb")).fileno()


def busy(thread: threading.Thread, seconds: float = LONG) -> float:
    """Which part of its time a thread works."""
    assert thread.ident is not None
    clock = time.pthread_getcpuclockid(thread.ident)
    began, used = time.monotonic(), time.clock_gettime(clock)
    time.sleep(seconds)
    return (time.clock_gettime(clock) - used) / (time.monotonic() - began)


@contextmanager
def answering(*sockets: int) -> Iterator[tuple[threading.Thread, Callable[[], int]]]:
    """A service on these sockets; its thread, and how many packets it hands over meanwhile."""
    hot, _ = load()
    assert hot is not None
    service = hot.Service(list(sockets), False)
    thread = threading.Thread(target=service.run, daemon=True)
    thread.start()
    try:
        yield thread, lambda: len(service.handed())
    finally:
        service.stop()
        thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("make", [shut_down, with_errors, no_datagrams, never_connected, no_socket])
def test_a_socket_that_is_no_good_rests(make: Make) -> None:
    """And the good one beside it is served."""
    with ExitStack() as stack:
        good = udp(stack)
        with answering(make(stack), good.fileno()) as (thread, handed):
            assert busy(thread) < ENOUGH
            good.sendto(b"a question", good.getsockname())
            eventually(handed)


@pytest.mark.parametrize("make", [shut_down, with_errors, no_datagrams, never_connected, no_socket])
def test_so_does_one_that_is_alone(make: Make) -> None:
    """A thread with one socket waits where it receives, as long as that is any good."""
    with ExitStack() as stack, answering(make(stack)) as (thread, _):
        assert busy(thread) < ENOUGH


def test_a_socket_is_left_as_it_was_found() -> None:
    """While a service waits in it it blocks, afterwards no longer."""
    with ExitStack() as stack:
        sock = udp(stack)
        with answering(sock.fileno()) as (_, handed):
            sock.sendto(b"a question", sock.getsockname())
            eventually(handed)
        with pytest.raises(BlockingIOError):
            sock.recv(100)


def test_who_closes_a_socket_closes_his_own() -> None:
    """The service has another descriptor, and is served until it is ended."""
    with ExitStack() as stack:
        sock, client = udp(stack), udp(stack)
        address = sock.getsockname()
        with answering(sock.fileno()) as (thread, handed):
            sock.close()
            assert busy(thread) < ENOUGH
            client.sendto(b"a question", address)
            eventually(handed)


def test_a_service_reads_only_from_its_own_sockets() -> None:
    """Not from what has got the number of one since."""
    with ExitStack() as stack:
        first = udp(stack)
        number, address = first.fileno(), first.getsockname()
        with answering(number) as (_, handed), udp(stack) as other:
            os.dup2(other.fileno(), number)
            other.sendto(b"not for dnsd", other.getsockname())
            other.sendto(b"a question", address)
            eventually(handed)
            assert other.recv(100) == b"not for dnsd"


def test_an_error_from_outside_passes() -> None:
    """One that is told once, as for an answer to a client that is gone; then all goes on."""
    with ExitStack() as stack:
        sock = udp(stack)
        client = udp(stack)
        sock.connect(client.getsockname())
        client.close()
        sock.send(b"an answer")
        with answering(sock.fileno()) as (thread, _):
            assert busy(thread) < ENOUGH


def test_signals_do_not_keep_it_awake() -> None:
    """They are for the main thread."""
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
    try:
        with ExitStack() as stack, answering(udp(stack).fileno()) as (thread, _):
            assert thread.ident is not None
            for _ in range(1000):
                signal.pthread_kill(thread.ident, signal.SIGUSR1)
                os.kill(os.getpid(), signal.SIGUSR1)
            assert busy(thread) < ENOUGH
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen


def test_a_worker_that_cannot_start_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that answer already are ended, and the port is free."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Crew, "__init__", fail)
    listen = (("127.0.0.1", free_port("both")),)
    options = DnsdOptions(listen, ZONE, engine="compiled", threads=2, pace=QUICK)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        Worker(
            options, lambda: bind_sets(listen, 2, shared=False),
            lambda: Source(Database(tmp_path)), Sink(),
            ready=lambda: None,
        )  # fmt: skip
    assert not [one for one in threading.enumerate() if one.name.startswith("dns-answers")]
    for sockets in bind_sets(listen, 1, shared=False):
        sockets.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_python_engine_rests_too(tmp_path: Path, host: str) -> None:
    """Its socket fails again and again; TCP beside it is served."""
    database = Database(tmp_path)
    database.block("203.0.113.7")
    with serving(database, engine="python", host=host) as served:
        (sockets,) = served.worker.loop._sockets
        (sock,) = sockets.wildcard_udp or sockets.udp
        selector = served.worker.loop._selector
        drain = selector.unregister(sock).data
        with ExitStack() as stack:
            # In its place: one that is always ready and never to be read as datagrams.
            os.dup2(no_datagrams(stack), sock.fileno())
            selector.register(sock, selectors.EVENT_READ, drain)
            (thread,) = [one for one in threading.enumerate() if one.name == "dnsd"]
            assert busy(thread) < ENOUGH
            assert codes(served.port, "203.0.113.7", tcp=True) == ["127.0.0.2"]


def processor_time(pid: int) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_connections_wait(tmp_path: Path) -> None:
    """UDP is answered as ever; TCP again when there are some."""
    database = Database(tmp_path)
    database.block("203.0.113.7")
    port = free_port("both")
    with running(command(database, port, 1), "^ready", env=environment(), cwd=ROOT) as child:
        _, most = resource.prlimit(child.pid, resource.RLIMIT_NOFILE)
        before = resource.prlimit(child.pid, resource.RLIMIT_NOFILE)
        open_now = max(int(one.name) for one in Path(f"/proc/{child.pid}/fd").iterdir())
        resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (open_now + 1, most))
        with ExitStack() as stack:
            # More than there can be free numbers below the highest that is in use.
            for _ in range(open_now + 2):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            began, used = time.monotonic(), processor_time(child.pid)
            while time.monotonic() < began + 2 * LONG:
                assert codes(port, "203.0.113.7") == ["127.0.0.2"]
                time.sleep(0.05)
            part = (processor_time(child.pid) - used) / (time.monotonic() - began)
            assert part < ENOUGH
            resource.prlimit(child.pid, resource.RLIMIT_NOFILE, before)
            eventually(lambda: codes(port, "203.0.113.7", tcp=True) == ["127.0.0.2"])
        assert child.output.count("dns.not-accepted") == 1
