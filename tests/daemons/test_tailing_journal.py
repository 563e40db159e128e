"""The systemd journal, followed: a real journal, written by systemd's own program, read by its own.

No journald runs where tests do, but `systemd-journal-remote` writes the same files.
"""

import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailmum.daemons import tailing_journal
from mailmum.daemons.tailing_journal import JournalLog, Wanted

REMOTE = "/lib/systemd/systemd-journal-remote"


class Journal:
    """A journal in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = itertools.count()
        self._clock = itertools.count(1)
        folder.mkdir()

    def write(self, *messages: str, file: str = "one", **fields: str) -> None:
        """Append entries, as the journal would have them from a mail program."""
        entries = []
        for message in messages:
            now = time.time_ns() // 1000
            fixed = {
                "__REALTIME_TIMESTAMP": str(now),
                "__MONOTONIC_TIMESTAMP": str(next(self._clock) * 1000),
                "_BOOT_ID": "0123456789abcdef0123456789abcdef",
                "_MACHINE_ID": "0123456789abcdef0123456789abcdee",
                "_HOSTNAME": "mx1",
                "SYSLOG_FACILITY": "2",
                "SYSLOG_IDENTIFIER": "postfix/smtpd",
                "_PID": "411",
            }
            entry = fixed | fields | {"MESSAGE": message}
            entries.append("".join(f"{name}={value}\n" for name, value in entry.items()) + "\n")
        subprocess.run(
            [REMOTE, f"--output={self.folder / f'{file}.journal'}", "-"],
            input="".join(entries).encode(),
            check=True,
            capture_output=True,
        )


@pytest.fixture(autouse=True)
def _none_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that fails half-way leaves no journalctl behind."""
    made: list[JournalLog] = []
    begin = JournalLog.__init__

    def note(self: JournalLog, *words: Any, **named: Any) -> None:
        begin(self, *words, **named)
        made.append(self)

    monkeypatch.setattr(JournalLog, "__init__", note)
    yield
    for one in made:
        one.close()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty journal."""
    return Journal(tmp_path / "journal")


def read(log: JournalLog, count: int) -> Iterator[str]:
    """That many messages."""
    end = time.monotonic() + 30
    while count > 0:
        piece = log.read()
        assert time.monotonic() < end, log.trouble
        if piece is None:
            time.sleep(0.02)
            continue
        for line in piece.data.splitlines():
            message = json.loads(line)["MESSAGE"]
            # What does not show itself comes as numbers.
            yield message if isinstance(message, str) else bytes(message).decode()
            count -= 1
    assert count == 0


def test_entries_come_once(journal: Journal) -> None:
    """Those there are and those that come; after a new start those after the cursor."""
    wanted = Wanted(folder=str(journal.folder))
    journal.write("one", "two")
    log = JournalLog(wanted)
    assert list(read(log, 2)) == ["one", "two"]
    journal.write("three")
    assert list(read(log, 1)) == ["three"]
    log.close()
    journal.write("four", file="two")
    again = JournalLog(wanted, log._cursor)
    assert list(read(again, 1)) == ["four"]


def test_what_was_written_before_a_reboot(journal: Journal) -> None:
    """The journal of the boot before is read to its end."""
    journal.write("before", _BOOT_ID="0123456789abcdef0123456789abcde1")
    journal.write("after", _BOOT_ID="0123456789abcdef0123456789abcde2")
    log = JournalLog(Wanted(folder=str(journal.folder)))
    assert list(read(log, 2)) == ["before", "after"]


def test_of_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own journal may hold what others send to it."""
    monkeypatch.setattr(tailing_journal, "_machine", lambda: "c0ffee")
    words = Wanted().command(None)
    assert words.count("_MACHINE_ID=c0ffee") == words.count("+") + 1 == 4
    assert "_MACHINE_ID=c0ffee" in Wanted(units=("postfix@-.service",)).command(None)
    assert "_MACHINE_ID=c0ffee" not in Wanted(folder="/srv/journal").command(None)


def test_what_speaks_of_mail(journal: Journal) -> None:
    """The mail facility and spam filters; or named units only."""
    journal.write("cron", SYSLOG_FACILITY="9", SYSLOG_IDENTIFIER="cron")
    journal.write("scored", SYSLOG_FACILITY="3", SYSLOG_IDENTIFIER="rspamd")
    journal.write("unit", SYSLOG_FACILITY="3", _SYSTEMD_UNIT="postfix@out.service")
    journal.write("mail")
    log = JournalLog(Wanted(folder=str(journal.folder)))
    assert list(read(log, 2)) == ["scored", "mail"]
    log.close()
    units = Wanted(folder=str(journal.folder), units=("postfix@out.service",))
    log = JournalLog(units)
    assert list(read(log, 1)) == ["unit"]


def test_small_reads_lose_nothing(journal: Journal) -> None:
    """Lines that are cut by the size of a read are put together."""
    messages = [f"message {number} {'x' * 300}" for number in range(20)]
    journal.write(*messages)
    log = JournalLog(Wanted(folder=str(journal.folder)), size=700)
    assert list(read(log, 20)) == messages


def test_text_of_any_kind(journal: Journal) -> None:
    """It stays within its line."""
    journal.write('a "quoted" \\ text with ünïcode and \x1b[2J')
    log = JournalLog(Wanted(folder=str(journal.folder)))
    assert list(read(log, 1)) == ['a "quoted" \\ text with ünïcode and \x1b[2J']


def test_without_journalctl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is said, with what to do instead."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tailing_journal, "_KEPT_IN", (tmp_path,))
    log = JournalLog(Wanted())
    assert log.read() is None
    assert log.trouble is not None
    assert "no journalctl" in log.trouble.problem
    assert "follow the log file instead" in log.trouble.fix


def test_a_journal_that_is_not_there(tmp_path: Path) -> None:
    """What journalctl says is passed on."""
    log = JournalLog(Wanted(folder=str(tmp_path / "none")))
    end = time.monotonic() + 30
    while log.trouble is None and time.monotonic() < end:
        assert log.read() is None
        time.sleep(0.02)
    assert log.trouble is not None
    assert "No such file or directory" in log.trouble.problem


def test_an_empty_journal(journal: Journal) -> None:
    """Entries are waited for."""
    log = JournalLog(Wanted(folder=str(journal.folder)))
    for _ in range(5):
        assert log.read() is None
        time.sleep(0.02)
    journal.write("one")
    assert list(read(log, 1)) == ["one"]
    assert log.trouble is None


def test_a_machine_without_journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As journalctl itself would not tell: it waits without a word."""
    monkeypatch.setattr(tailing_journal, "_KEPT_IN", (tmp_path / "none",))
    log = JournalLog(Wanted())
    assert log.read() is None
    assert log.trouble is not None
    assert "keeps no journal" in log.trouble.problem


def test_a_journal_that_may_not_be_read() -> None:
    """As another user, who is told what to do on Debian."""
    program = (
        "import os, sys, time\n"
        "from mailmum.daemons.tailing_journal import JournalLog, Wanted\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "log = JournalLog(Wanted(folder=sys.argv[1]))\n"
        "while log.trouble is None: log.read(); time.sleep(0.02)\n"
        "print(log.trouble)"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        journal = Journal(Path(folder, "journal"))
        journal.write("one")
        command = [sys.executable, "-c", program, str(journal.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert "insufficient permissions" in done.stdout
    assert "adduser nobody systemd-journal" in done.stdout
