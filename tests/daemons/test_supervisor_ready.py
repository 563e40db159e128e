"""How a part tells that it answers."""

import socket
from pathlib import Path

import pytest

from mailmum.daemons.supervisor_ready import Inbox, tell_ready


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """An inbox that this process's environment points to."""
    inbox = Inbox()
    for name, value in inbox.environment.items():
        monkeypatch.setenv(name, value)
    return inbox


def test_ready_is_heard(inbox: Inbox) -> None:
    """One message is heard once."""
    assert not inbox.told_ready()
    assert tell_ready()
    assert inbox.told_ready()
    assert not inbox.told_ready()
    inbox.close()


def test_other_messages_do_not_count(inbox: Inbox) -> None:
    """Programs also report their status this way; READY=1 may stand among other lines."""
    address = "\0" + inbox.environment["NOTIFY_SOCKET"][1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.connect(address)
        for message in (b"STATUS=loading", b"READY=10", b"", b"\xff" * 300):
            out.send(message)
        assert not inbox.told_ready()
        out.send(b"STATUS=up\nREADY=1\n")
    assert inbox.told_ready()
    inbox.close()


def test_each_inbox_is_its_own(inbox: Inbox) -> None:
    """A message to one start of a part is not heard by another."""
    other = Inbox()
    assert tell_ready()
    assert not other.told_ready()
    other.close()
    inbox.close()


def test_without_a_supervisor_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run by hand, a part has nobody to tell."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not tell_ready()


def test_a_supervisor_that_has_gone_is_no_failure(inbox: Inbox) -> None:
    """The part goes on; it is told so by the return value."""
    inbox.close()
    assert not tell_ready()


def test_a_socket_in_the_file_system_works_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older service managers use a path: the same message goes there."""
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        assert tell_ready()
        assert server.recv(100) == b"READY=1"
