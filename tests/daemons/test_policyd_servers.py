"""Servers told by where they ask: another port, or a socket with a path; no descriptor left."""

import asyncio
import resource
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mailmum.daemons import policyd
from mailmum.daemons.policyd import PolicydOptions
from mailmum.daemons.policyd_loop import PolicyLoop
from tests.daemons import dnsd_kit
from tests.daemons.dnsd_kit import QUICK, SERVER, Database, Sink, Source
from tests.daemons.policyd_kit import URL, Client, request
from tests.daemons.test_dnsd_processes import ROOT, environment
from tests.support.ports import free_port
from tests.support.process import running
from tests.support.waiting import eventually


@contextmanager
def serving(database: Database, *servers: tuple[str, str, int], common: int = 0) -> Iterator[Sink]:
    """The daemon in a thread, with sockets of some servers."""
    options = PolicydOptions("127.0.0.1", common or free_port(), URL, pace=QUICK, servers=servers)
    loops: list[PolicyLoop] = []
    sink, ready = Sink(), threading.Event()

    def run() -> None:
        named = {name: policyd._bind(host, port) for name, host, port in servers}
        sockets = policyd.bind(options.host, options.port)
        serve = policyd.serve(
            options, sockets, lambda: Source(database), sink,
            ready=ready.set, started=loops.append, named=named,
        )  # fmt: skip
        asyncio.run(serve)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(10)
        yield sink
    finally:
        loops[0].stop()
        thread.join(5)
    assert not thread.is_alive()


def ask(where: tuple[str, int] | str, asked: bytes) -> bytes:
    """All that comes back to some bytes."""
    family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        sock.connect(where)
        sock.sendall(asked)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(4096), b""))


def test_a_port_and_a_path_tell_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key, with a wrong one, and by socketmap; each request counts for that server."""
    monkeypatch.setattr(dnsd_kit, "SERVER", replace(SERVER, name="mx1"))
    database = Database(tmp_path)
    database.block("203.0.113.7")
    path, port = str(tmp_path / "mx1"), free_port()
    Path(path).touch()
    with serving(database, ("mx1", "127.0.0.1", port), ("mx1 again", path, 0)) as sink:
        for key in ("", "unknown12345"):
            assert ask(("127.0.0.1", port), request(key=key)).startswith(b"action=REJECT")
        assert b":OK REJECT" in ask(("127.0.0.1", port), b"13:x 203.0.113.7,")
        eventually(lambda: sink.total("block") == 3)
        assert stat.S_ISSOCK(Path(path).stat().st_mode)
        # Nobody is called that: mail flows.
        assert ask(path, request()) == b"action=DUNNO\n\n"


def test_a_name_on_the_common_port_is_no_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else anybody would be told what a server blocks, and could forge what it sees."""
    monkeypatch.setattr(dnsd_kit, "SERVER", replace(SERVER, name="mx1"))
    database = Database(tmp_path)
    database.block("203.0.113.7")
    port = free_port()
    with serving(database, ("mx1", "127.0.0.1", port), common=(common := free_port())) as sink:
        for context in ("=mx1", "=mx1:allow", f"={SERVER.ref}"):
            assert ask(("127.0.0.1", common), request(key=context)) == b"action=DUNNO\n\n"
        assert ask(("127.0.0.1", common), b"16:=mx1 203.0.113.7,") == b"9:NOTFOUND ,"
        assert ask(("127.0.0.1", port), request(key="")).startswith(b"action=REJECT")
        eventually(lambda: sink.total("block") == 1)


def test_a_path_of_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only an allow is wanted, too."""
    monkeypatch.setattr(dnsd_kit, "SERVER", replace(SERVER, name="mx1"))
    database = Database(tmp_path)
    database.block("203.0.113.7")
    path = str(tmp_path / "mx1")
    with serving(database, ("mx1", path, 0)):
        assert ask(path, request(key="")).startswith(b"action=REJECT")
        assert ask(path, request("203.0.113.8", key="")) == b"action=DUNNO\n\n"
        assert ask(path, request(key=":allow")) == b"action=DUNNO\n\n"


def test_a_path_that_cannot_be(tmp_path: Path) -> None:
    """The setting is named."""
    with pytest.raises(policyd.StartFailed) as failure:
        policyd._bind(str(tmp_path / "nowhere" / "mx1"), 0)
    assert failure.value.field == "policy_servers"


def test_without_descriptors_connections_wait(tmp_path: Path) -> None:
    """Those that are there are served, it is told once, and afterwards all are."""
    database = Database(tmp_path)
    database.block("203.0.113.7")
    port = free_port()
    command = [sys.executable, "-m", "tests.daemons.policyd_kit", str(tmp_path), str(port)]
    with running(command, "^ready", env=environment(), cwd=ROOT) as child:
        before = resource.prlimit(child.pid, resource.RLIMIT_NOFILE)
        with closing(Client(port)) as client:
            assert client.ask().startswith("REJECT")
            # Below the highest in use none is free, at least not for so many.
            numbers = [int(one.name) for one in Path(f"/proc/{child.pid}/fd").iterdir()]
            resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (max(numbers) + 1, before[1]))
            with ExitStack() as stack:
                waiting = [
                    stack.enter_context(closing(Client(port))) for _ in range(max(numbers) + 2)
                ]
                eventually(lambda: "policy.not-accepted" in child.output)
                assert client.ask().startswith("REJECT")
                resource.prlimit(child.pid, resource.RLIMIT_NOFILE, before)
                assert waiting[-1].ask().startswith("REJECT")
        assert child.output.count("policy.not-accepted") == 1
        assert "Traceback" not in child.output
