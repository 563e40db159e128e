"""A reader who follows a document, command by command, on a machine of their own.

Documents show one installation: pages at port 8053, DNS at port 5300, the data in a folder they
name, servers with the keys below.  Here ports, folders and keys are others, so commands are run
with ours in the place of those, and what is said is read with theirs in the place of ours.

`service` is running when the document begins, unless the document starts one itself.
"""

import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.markdown import Block, Step, blocks, matches, steps
from tests.docs.shell import Said, Shell, shell
from tests.support.service import Service
from tests.support.waiting import PATIENCE

SERVERS = {"k7dqpmw2x4hnt9ab": "mx1", "t3x8nbv5m0rgz6ca": "mx2"}
"""The zone keys that documents show, and the servers they belong to."""

WEB, POLICY, DNS = "127.0.0.1:8053", "127.0.0.1:10053", ("127.0.0.1", "5300")
USUAL = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How long an answer may differ from the document before that counts: a change is on its way to the
# DNS server for some milliseconds.

# What a document does as another user, we do as ourselves.
_SUDO = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do
    [ "$1" = -u ] && shift
    shift
done
exec "$@"
"""

_KEY = re.compile(r"\b[a-z][0-9a-z]{15}\b")

Handler = Callable[[str], str]


@dataclass
class Guide:
    """A document, and the machine on which it is followed.

    Attributes:
        path: the document.
        shell: where commands are typed.
        service: what they speak to.
        places: what the document shows, and what it is here; longer ones are put in first.
        handlers: commands done by the test itself, by the words that they begin with.
        may_fail: commands whose exit status depends on the machine, by their first words.
    """

    path: Path
    shell: Shell
    service: Service
    places: dict[str, str] = field(default_factory=dict)
    handlers: dict[str, Handler] = field(default_factory=dict)
    may_fail: tuple[str, ...] = ()
    _known: dict[str, str] | None = None

    def follow(self, until: Block | None = None, after: Block | None = None) -> int:
        """Run every console block, or those between two blocks; how many commands that were."""
        count = 0
        for block in blocks(self.path):
            if until is not None and block.line >= until.line:
                break
            if block.language == "console" and (after is None or block.line > after.line):
                for step in steps(block):
                    self.do(step)
                    count += 1
        return count

    def do(self, step: Step) -> None:
        """Run one command and hold what it says against the document."""
        deadline = time.monotonic() + PATIENCE
        while True:
            said = self._run(step)
            told = self.told(said.output)
            fails = step.may_fail or step.command.startswith(self.may_fail or ("\0",))
            allowed = (0, 1) if fails else (0,)
            if said.status in allowed and matches(step.output, told):
                return
            again = step.command.startswith("dig ") and time.monotonic() < deadline
            assert again, (
                f"{step.block}: $ {step.command}\nstatus {said.status}, says:\n{told}\n"
                f"the document shows:\n{step.output}"
            )
            time.sleep(0.05)

    def _run(self, step: Step) -> Said:
        for words, handler in self.handlers.items():
            if step.command.startswith(words):
                return Said(0, handler(step.command))
        if "server" in step.command:
            self._known = None
        return self.shell.run(self.meant(step.command))

    def meant(self, text: str) -> str:
        """A command or a configuration with what is ours in the place of what is shown."""
        for shown, ours in self._pairs(text):
            text = text.replace(shown, ours)
        return text

    def told(self, text: str) -> str:
        """Output with what the document shows in the place of what is ours."""
        for shown, ours in self._pairs(text):
            text = text.replace(ours, shown)
        return text

    def _pairs(self, text: str) -> Iterator[tuple[str, str]]:
        host, port = self.service.dns
        yield WEB, self.service.web
        yield POLICY, self.service.policy
        for mark in (":", "@", "#", " -p ", " port "):
            yield f"{DNS[0]}{mark}{DNS[1]}", f"{host}{mark}{port}"
        yield from sorted(self.places.items(), key=lambda pair: -len(pair[0]))
        if _KEY.search(text):
            yield from self._keys()

    def _keys(self) -> Iterator[tuple[str, str]]:
        if self._known is None:
            self._known = {one["name"]: one["key"] for one in self.service.json("server", "list")}
        for key, name in SERVERS.items():
            if name in self._known:
                yield key, self._known[name]


@contextmanager
def reader(
    path: Path,
    service: Service,
    scratch: Path,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Guide]:
    """Somebody who sits down with a document.

    Args:
        path: the document.
        service: what its commands speak to.
        scratch: an empty folder for the reader's own files.
        folder: where they sit; `scratch` by default.
        environment: further variables.
    """
    tools = scratch / ".tools"
    tools.mkdir()
    _install(tools / "sudo", _SUDO)
    (tools / "mailmum").symlink_to(Path(sys.executable).with_name("mailmum"))
    variables = service.environment | {
        "PATH": f"{tools}:{USUAL}",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LC_ALL": "C.UTF-8",
        **(environment or {}),
    }
    with shell(folder or scratch, variables, tools) as opened:
        yield Guide(path, opened, service)


def _install(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def needs(*programs: str) -> None:
    """Fail with the remedy where a program is missing that a document uses."""
    missing = [name for name in programs if shutil.which(name, path=USUAL) is None]
    assert not missing, f"missing: {', '.join(missing)}; script/bootstrap --test installs them"


def language(path: Path, word: str) -> list[Block]:
    """The blocks of a document in one language; there must be some."""
    found = [block for block in blocks(path) if block.language == word]
    assert found, f"{path} has no {word} block"
    return found
