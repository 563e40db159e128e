"""Following the systemd journal, through `journalctl` as a child process.

Each entry comes as one line of JSON (journalctl's `-o json`) with its cursor, which is the place to
go on from.  Only entries of the mail facility are taken, and those of the spam filters that log
elsewhere; else those of the units that are named.

`journalctl` ends with us: it notices that nobody reads what it writes.  While we read no more, it
waits, so nothing piles up.
"""

import contextlib
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mailmum.daemons.tailing import PIECE, Piece, Trouble, own_name

# Entries of programs that speak of mail.
_MAIL = (
    "SYSLOG_FACILITY=2",
    "SYSLOG_IDENTIFIER=rspamd",
    "SYSLOG_IDENTIFIER=spamd",
    "SYSLOG_IDENTIFIER=amavis",
)
_MACHINE = Path("/etc/machine-id")
_KEPT_IN = (Path("/var/log/journal"), Path("/run/log/journal"))
_FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_HOSTNAME,_SOURCE_REALTIME_TIMESTAMP"
_FIRST_TIME = "--since=-7d"
_LONGEST_LINE = 1024 * 1024
_ERRORS_KEPT = 2000
# Between two starts of journalctl, in seconds.
_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which journal, and what of it.

    Attributes:
        folder: another journal than this machine's own, empty for that.
        units: only entries of these units; none for all that speak of mail.
    """

    folder: str = ""
    units: tuple[str, ...] = ()

    def command(self, cursor: str | None) -> list[str]:
        """How journalctl is called."""
        begin = f"--after-cursor={cursor}" if cursor else _FIRST_TIME
        options = ["--output=json", f"--output-fields={_FIELDS}", "--all"]
        # Without the last journalctl would begin with the ten latest entries only.
        options += ["--follow", "--no-tail", begin]
        # And without this, with the present boot: what was written before a reboot would be lost.
        options.append("--merge")
        own: list[str] = []
        if self.folder:
            options.append(f"--directory={self.folder}")
        elif machine := _machine():
            # Merging would add what other machines send to this one.
            own = [f"_MACHINE_ID={machine}"]
        if self.units:
            return ["journalctl", *options, *(f"--unit={unit}" for unit in self.units), *own]
        # A plus is journalctl's word for or.
        wanted = [word for match in _MAIL for word in ("+", *own, match)]
        return ["journalctl", *options, *wanted[1:]]


class JournalLog:
    """A journal that is followed.

    Args:
        wanted: which, and what of it.
        at: the cursor of the last entry read, None for none.
        size: how much to read at once.
    """

    def __init__(self, wanted: Wanted, at: str | None = None, *, size: int = PIECE) -> None:
        self.trouble: Trouble | None = None
        self.gap = ""
        self._wanted = wanted
        self._cursor = at
        self._size = size
        self._child: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._heard = False
        self._again = 0.0

    def read(self) -> Piece | None:
        """The next entries, None when there are none just now."""
        if self._child is None and not self._started():
            return None
        assert self._child is not None
        data, ended = _available(self._child.stdout, self._size)
        if data:
            self._heard = True
            self.trouble = None
            return self._entries(data)
        if ended:
            self._ended(self._child)
        elif not self._heard:
            self._complain(_available(self._child.stderr, _ERRORS_KEPT)[0])
        return None

    def close(self) -> None:
        """End journalctl."""
        if self._child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        self._let_go(self._child)

    def _started(self) -> bool:
        if time.monotonic() < self._again:
            return False
        self._again = time.monotonic() + _PAUSE
        if not self._wanted.folder and not any(folder.is_dir() for folder in _KEPT_IN):
            self.trouble = Trouble(
                "this machine keeps no journal", "follow the log file instead, or start journald"
            )
            return False
        try:
            child = subprocess.Popen(  # noqa: S603 - arguments are the operator's own
                self._wanted.command(self._cursor),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError:
            self.trouble = Trouble(
                "there is no journalctl on this machine",
                "follow the log file instead, or install systemd",
            )
            return False
        except OSError as error:
            self.trouble = Trouble(f"journalctl cannot be run: {error.strerror}", "try it by hand")
            return False
        for pipe in (child.stdout, child.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
        self._child, self._rest, self._heard = child, b"", False
        return True

    def _entries(self, data: bytes) -> Piece | None:
        """The whole lines of what has come."""
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        lines, self._rest = data[:end], data[end:]
        if len(self._rest) > _LONGEST_LINE:
            # No entry of a mail program is as long; what is left of it will not be understood.
            self._rest = b""
        self._cursor = _last_cursor(lines) or self._cursor
        return Piece(lines, self._cursor or "") if lines else None

    def _ended(self, child: subprocess.Popen[bytes]) -> None:
        said = _available(child.stderr, _ERRORS_KEPT)[0]
        self._let_go(child)
        self._complain(said or f"journalctl ended with status {child.returncode}".encode())

    def _complain(self, said: bytes) -> None:
        words = [line.strip() for line in said.decode(errors="replace").splitlines()]
        if not words:
            return
        # A hint has several lines, the last of which is how to silence it.
        why = words[0].removeprefix("Hint: ") if words[-1].startswith("Pass -q") else words[-1]
        fix = "see what the same says by hand: journalctl --since=-1h SYSLOG_FACILITY=2"
        if "permission" in why or "not seeing" in why:
            fix = (
                "let this user read it, then start it again; "
                f"on Debian: adduser {own_name()} systemd-journal"
            )
        self.trouble = Trouble(f"the journal cannot be read: {why}", fix)

    def _let_go(self, child: subprocess.Popen[bytes]) -> None:
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
        child.wait()
        self._child = None


def _machine() -> str:
    try:
        return _MACHINE.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _available(pipe: IO[bytes] | None, most: int) -> tuple[bytes, bool]:
    """What can be read now, and whether that was all that will ever come."""
    assert pipe is not None
    data = b""
    try:
        while len(data) < most:
            piece = os.read(pipe.fileno(), most - len(data))
            if not piece:
                return data, True
            data += piece
    except BlockingIOError:
        pass
    return data, False


def _last_cursor(lines: bytes) -> str | None:
    """That of the last entry; an entry that was cut has none."""
    for line in reversed(lines.splitlines()):
        try:
            cursor = json.loads(line)["__CURSOR"]
        except (ValueError, KeyError, TypeError):
            continue
        if isinstance(cursor, str) and 0 < len(cursor) < 1000:
            return cursor
    return None
