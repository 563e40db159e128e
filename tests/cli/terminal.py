"""The command on a terminal, which a pipe is not."""

import os
import pty
import re
import subprocess
import sys

from tests.cli.service import Service


def on_a_terminal(service: Service, *words: str, width: int = 200) -> str:
    """What the command shows on a terminal."""
    environment = {**os.environ, "MAILMUM_URL": service.url, "MAILMUM_TOKEN": "t"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": str(width), "LINES": "40"}
    environment.pop("MAILMUM_DATA", None)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "mailmum", *words]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # how Linux says that the other end has closed
                break
            if not chunk:
                break
            shown += chunk
    os.close(ours)
    assert process.returncode == 0, shown
    return shown.decode()


def without_style(shown: str) -> str:
    """The text without colours (SGR), which alone a table may use."""
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)
