"""The README, followed from an empty folder to the first reject by a real Postfix.

The checkout is copied and given a `.venv` of its own that borrows the packages of this one, so that
`script/server` finds nothing to fetch.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import time
from contextlib import ExitStack
from pathlib import Path

from tests.docs.guide import Guide, language, needs, reader
from tests.docs.markdown import ROOT, Block, blocks, matches, steps
from tests.support.ports import free_port
from tests.support.postfix import Postfix, postfix
from tests.support.process import Child, running
from tests.support.service import Service
from tests.support.smtp import Visitor
from tests.support.unbound import unbound

README = ROOT / "README.md"
BLOCKED = "203.0.113.7"


def copy_checkout(to: Path) -> Path:
    """The files that a server needs, as a checkout of their own."""
    for name in ("script", "requirements", "src"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "hatch_build.py"):
        shutil.copy(ROOT / name, to)
    return to


def borrow_packages(checkout: Path) -> None:
    """Make the `.venv` that script/bootstrap would make, without asking a network."""
    venv = checkout / ".venv"
    made = [sys.executable, "-m", "venv", "--without-pip", str(venv)]
    subprocess.run(made, check=True, timeout=60)
    version = sysconfig.get_python_version()
    packages = venv / "lib" / f"python{version}" / "site-packages"
    paths = [checkout / "src", sysconfig.get_path("purelib")]
    (packages / "borrowed.pth").write_text("".join(f"{path}\n" for path in paths))
    command = venv / "bin" / "mailmum"
    command.write_text(
        f"#!{venv}/bin/python\nfrom mailmum.cli.main import main\nmain()\n"  # as pip writes it
    )
    command.chmod(0o755)
    asked: list[str | Path] = [checkout / "script/bootstrap", "--stamp"]
    stamp = subprocess.run(asked, check=True, capture_output=True, timeout=60)
    (venv / ".mailmum-run").write_bytes(stamp.stdout)


class Walk:
    """The README's reader, with a Postfix and its resolver at hand.

    Attributes:
        guide: the document and the shell.
        postfix: the mail server.
        started: what `script/server` started.
    """

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        needs("dig", "unbound", "postfix")
        checkout = copy_checkout(folder / "checkout")
        borrow_packages(checkout)
        scratch = folder / "scratch"
        scratch.mkdir()
        service = Service(
            data=checkout / "data",
            web=f"127.0.0.1:{free_port('tcp')}",
            dns=("127.0.0.1", free_port("both")),
            environment={
                "PATH": "/usr/bin:/bin",
                "MAILMUM_DATA": str(checkout / "data"),
                "MAILMUM_POLICY": f"127.0.0.1:{free_port('tcp')}",
            },
        )
        stanza = language(README, "unbound")[0].text
        port = service.dns[1]
        resolver = stack.enter_context(unbound(stanza.replace("@5300", f"@{port}"), cache=False))
        self.postfix: Postfix = stack.enter_context(postfix(resolver))
        # The reader's commands find the service by its folder `data`, as the README has it.
        variables = {"MAIL_CONFIG": str(self.postfix.config)}
        bare = Service(service.data, service.web, service.dns, {})
        self.guide: Guide = stack.enter_context(
            reader(README, bare, scratch, folder=checkout, environment=variables)
        )
        bare.environment = service.environment
        self._stack = stack
        self._checkout = checkout
        self.guide.handlers["script/server"] = self._start
        self.guide.may_fail = ("mailmum doctor",)

    def _start(self, command: str) -> str:
        service = self.guide.service
        host, port = service.dns
        options = ["--web", service.web, "--dns", f"{host}:{port}", "--policy", service.policy]
        self.started: Child = self._stack.enter_context(
            running(
                [self._checkout / command, *options],
                "^ready",
                timeout=60,
                env={"PATH": "/usr/bin:/bin"},
                cwd=Path("/"),
            )
        )
        return self.started.output

    def reject(self) -> str:
        """The line of the mail log that the blocked client's try makes."""
        end = time.monotonic() + 30
        while self.postfix.deliver(Visitor(BLOCKED)).code != 554:
            assert time.monotonic() < end, self.postfix.log
            time.sleep(0.1)
        log = self.postfix.await_log(lambda log: "NOQUEUE: reject" in log)
        line = next(line for line in log.splitlines() if "NOQUEUE: reject" in line)
        return re.sub(r"^.*? postfix/", "postfix/", line)


def log_block() -> Block:
    """The line of the mail log that the README shows."""
    (found,) = language(README, "log")
    return found


def test_five_minutes_to_the_first_reject(tmp_path: Path) -> None:
    """Every command says what the README shows, and what is left behind is what it tells of."""
    with ExitStack() as stack:
        walk = Walk(stack, tmp_path)
        follow(walk)
        ends_cleanly(walk)
        holds_what_the_table_says(walk)


def follow(walk: Walk) -> None:
    """From the first command to the last; the reject looks as it is shown."""
    shown = log_block()
    assert walk.postfix.deliver(Visitor(BLOCKED)).code in (250, 450)
    assert walk.guide.follow(until=shown) >= 8
    line = re.sub(r"smtpd\[\d+\]", "smtpd[4711]", walk.reject())
    assert matches(shown.text, walk.guide.told(line))
    key = walk.guide.service.json("server", "show", "mx1")["key"]
    assert key not in line
    assert walk.guide.follow(after=shown) >= 1
    walk.postfix.reload()
    assert walk.postfix.deliver(Visitor(BLOCKED)).code == 250


def ends_cleanly(walk: Walk) -> None:
    """SIGTERM, as from a terminal that is closed; the data folder stays for the next start."""
    assert walk.started.stop() == 0
    assert (walk.guide.service.data / "mailmum.sqlite3").exists()


def holds_what_the_table_says(walk: Walk) -> None:
    """Each file that a service makes is explained, and no other."""
    section = README.read_text().partition("## Where the data lies")[2].partition("\n## ")[0]
    told = {cell.rstrip("/") for cell in re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)}
    there = {path.name for path in walk.guide.service.data.iterdir()}
    assert told == {name for name in there if not name.endswith(("-wal", "-shm"))}


def test_the_table_of_commands_is_whole() -> None:
    """Every verb of the command line stands in the README's table, and no other."""
    from mailmum.cli.main import VERBS

    section = README.read_text().partition("## Commands")[2].partition("\n## ")[0]
    cells = " ".join(line.split("|")[1] for line in section.splitlines() if line[:3] == "| `")
    named = {word for code in re.findall(r"`([^`]+)`", cells) for word in code.split()}
    assert set(VERBS) <= named
    subcommands = {"add", "list", "show", "edit", "rotate-key", "remove", "link", "token", "setup"}
    subcommands |= {"accept", "decline", "dismiss", "refresh", "release", "pause", "resume"}
    subcommands |= {"presets", "test", "findings", "clear", "check", "compare", "report", "undo"}
    words = {"mailmum", "TARGET...", "TARGET", "CLIENT", "FILE", "LOG..."}
    known = set(VERBS) | subcommands | words
    assert named <= known


def test_the_readme_has_commands_in_console_blocks() -> None:
    """Commands that the README gives outside console blocks would go unchecked."""
    assert {block.language for block in blocks(README)} <= {
        "console",
        "log",
        "unbound",
        "dnsmasq",
    }
    assert all(list(steps(block)) for block in language(README, "console"))
