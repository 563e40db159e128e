"""Postfix's smtp-sink: a mail server that takes everything and keeps it, or refuses as it is told.

    with mail_sink() as sink:
        ...
        [message] = sink.messages(1)

What it saw of the session stands before the message as headers of its own: X-Mail-Args and
X-Rcpt-Args have the envelope.
"""

import email
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from tests.support.ports import free_port, is_free
from tests.support.process import running
from tests.support.waiting import PATIENCE

PROGRAM = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin:/sbin:/bin") or "smtp-sink"


@dataclass(frozen=True, slots=True)
class Sink:
    """A running one."""

    port: int
    folder: Path

    def messages(self, count: int) -> list[EmailMessage]:
        """All that were taken; waits until there are so many, and fails when there are more."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = [self._read(path) for path in sorted(self.folder.iterdir())]
            whole = [one for one in found if one.get("Message-ID")]
            if len(whole) >= count or time.monotonic() > deadline:
                assert len(whole) == count, [str(one) for one in found]
                return whole
            time.sleep(0.02)

    def _read(self, path: Path) -> EmailMessage:
        return email.message_from_bytes(path.read_bytes(), policy=default)


@contextmanager
def mail_sink(*options: str) -> Iterator[Sink]:
    """One for the length of a `with` block; options are smtp-sink's."""
    folder = Path(tempfile.mkdtemp(prefix="mailmum-sink-", dir="/var/tmp"))
    # Started by root it wants to be somebody else.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    folder.chmod(0o777)
    port = free_port("tcp")
    dump = f"{folder}/%H%M%S."
    command = [PROGRAM, *user, *options, "-d", dump, f"127.0.0.1:{port}", "20"]
    try:
        with running(command, ready=lambda: not is_free(port)):
            yield Sink(port, folder)
    finally:
        shutil.rmtree(folder)
