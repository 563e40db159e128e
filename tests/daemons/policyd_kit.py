"""policyd around dnsd_kit's database of files: in a thread, or as a process of its own.

Run as a program it is policyd itself: `python -m tests.daemons.policyd_kit FOLDER PORT`.
"""

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mailmum.daemons import policyd
from mailmum.daemons.counts import Parcel
from mailmum.daemons.policyd import Limits, PolicydOptions
from mailmum.daemons.policyd_loop import PolicyLoop
from tests.daemons.dnsd_kit import KEY, QUICK, Database, Sink, Source
from tests.support.ports import free_port

URL = "https://mx.example.net"
USUAL = Limits()
DUNNO = "DUNNO"


def request(address: str = "203.0.113.7", *, key: str = KEY, **more: str) -> bytes:
    """A request as Postfix sends it, in short."""
    fields = {
        "request": "smtpd_access_policy",
        "protocol_state": "RCPT",
        "client_address": address,
        "client_name": "unknown",
        "reverse_client_name": "unknown",
        "helo_name": "mx.sender.example",
        **more,
        "policy_context": key,
    }
    return "".join(f"{name}={value}\n" for name, value in fields.items()).encode() + b"\n"


class Client:
    """One connection of a mail server."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), 5)
        self._file = self.socket.makefile("rb")

    def read(self) -> str:
        """The action of the next reply; empty when the connection has been closed."""
        line = self._file.readline()
        if not line:
            return ""
        assert line.startswith(b"action=")
        assert self._file.readline() == b"\n"
        return line.decode().removeprefix("action=").removesuffix("\n")

    def ask(self, address: str = "203.0.113.7", **more: str) -> str:
        """The action for a client."""
        self.socket.sendall(request(address, **more))
        return self.read()

    def closed(self) -> bool:
        """Whether the other side closes it without another word, within the socket's timeout."""
        try:
            return self._file.readline() == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self.socket.close()


@dataclass
class Served:
    """A daemon that runs in a thread."""

    port: int
    host: str
    loop: PolicyLoop
    sink: Sink
    ready: threading.Event
    failures: list[BaseException]

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """A connection to it."""
        with contextlib.closing(Client(self.port, self.host)) as made:
            yield made

    def ask(self, address: str = "203.0.113.7", **more: str) -> str:
        """One request on a connection of its own."""
        with self.client() as client:
            return client.ask(address, **more)


@contextlib.contextmanager
def serving(
    database: Database,
    *,
    snapshot: Path | None = None,
    host: str = "127.0.0.1",
    limits: Limits = USUAL,
    wait: bool = True,
) -> Iterator[Served]:
    """Run the daemon in a thread for the length of a `with` block."""
    port = free_port("tcp", host)
    options = PolicydOptions(host, port, URL, snapshot, limits, QUICK)
    sink, ready, started = Sink(), threading.Event(), threading.Event()
    loops: list[PolicyLoop] = []
    failures: list[BaseException] = []

    def note(loop: PolicyLoop) -> None:
        loops.append(loop)
        started.set()

    def run() -> None:
        sockets = policyd.bind(host, port)
        serve = policyd.serve(
            options, sockets, lambda: Source(database), sink, ready=ready.set, started=note
        )
        try:
            asyncio.run(serve)
        except ZeroDivisionError as failure:
            failures.append(failure)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    try:
        if wait:
            assert ready.wait(10)
        yield Served(port, host, loops[0], sink, ready, failures)
    finally:
        loops[0].stop()
        thread.join(5)
        sys.setswitchinterval(interval)
        assert not thread.is_alive()


def main() -> None:
    """Be policyd, and say when it is ready."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    database = Database(folder)
    options = PolicydOptions("127.0.0.1", port, URL, folder / "snapshot", pace=QUICK)

    def sink(_parcel: Parcel) -> None:
        database.check()

    def ready() -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    try:
        policyd.run(options, lambda: Source(database), sink, ready=ready)
    except policyd.StartFailed as failure:
        sys.exit(f"mailmum: {failure}")


if __name__ == "__main__":
    main()
