"""A private Postfix on loopback: Debian's programs, everything else in a folder of its own.

Configuration, queue, data and log lie in a folder below /var/tmp (Postfix's users have to reach
it, and maillog_file has to lie below /var). smtpd runs in a chroot as Debian has it, so it resolves
names through the etc/resolv.conf of its own queue folder, which names the test's name server; the
system's resolv.conf and Postfix stay untouched. Mail that is accepted is discarded.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port
from tests.support.process import Child, running
from tests.support.smtp import RECIPIENT, Reply, Visitor, deliver
from tests.support.waiting import PATIENCE

HOST = "127.0.0.1"
_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_POLL = 0.02

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/mail.log
myhostname = mx1.example.net
mydomain = example.net
mydestination =
inet_interfaces = 127.0.0.1
mynetworks = 192.0.2.0/28
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.net
virtual_mailbox_maps = inline:{{ {recipient}=here }}
virtual_transport = discard:
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_peername_lookup = yes
# A fresh process for each session: what smtpd keeps of earlier answers is a test of its own.
max_use = 1
"""

_MASTER = """\
{host}:{port} inet n - y - - smtpd
smtpd pass - - y - - smtpd
dnsblog unix - - y - 0 dnsblog
tlsproxy unix - - y - 0 tlsproxy
rewrite unix - - n - - trivial-rewrite
cleanup unix n - y - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - y 1000? 1 tlsmgr
bounce unix - - y - 0 bounce
defer unix - - y - 0 bounce
trace unix - - y - 0 bounce
verify unix - - y - 1 verify
proxymap unix - - n - - proxymap
error unix - - y - - error
retry unix - - y - - error
discard unix - - y - - discard
anvil unix - - y - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
# A client is whom the PROXY line names; no waiting for clients that talk too early.
_SCREEN_MAIN = """\
postscreen_upstream_proxy_protocol = haproxy
postscreen_greet_wait = 1s
"""
_RELOADED = " reload -- version "
_SCREEN = "{host}:{port} inet n - y - 1 postscreen\n"


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running Postfix.

    Attributes:
        folder: everything that is its own.
        port: where smtpd listens.
        screen_port: where postscreen listens, 0 without one.
        child: its master process.
    """

    folder: Path
    port: int
    screen_port: int
    child: Child

    @property
    def config(self) -> Path:
        """The folder of main.cf."""
        return self.folder / "etc"

    @property
    def main_cf(self) -> str:
        """The text of main.cf."""
        return (self.config / "main.cf").read_text()

    @property
    def log(self) -> str:
        """The mail log so far."""
        return (self.folder / "mail.log").read_text(errors="replace")

    def postconf(self, *arguments: str) -> str:
        """Run postconf on this configuration; its output."""
        return self.shell(["postconf", "-c", str(self.config), *arguments])

    def configure(self, **settings: str) -> None:
        """Set parameters of main.cf, without a reload."""
        self.postconf("-e", *(f"{name} = {value}" for name, value in settings.items()))

    def shell(self, command: list[str] | str) -> str:
        """Run a program, or the text of a shell script; its output.

        One that reloads is waited for until the master has done so: it only sends a signal.

        Raises AssertionError with the output of one that fails.
        """
        reloads = self.log.count(_RELOADED) if "reload" in command else -1
        output = _run(["sh", "-e", "-c", command] if isinstance(command, str) else command)
        _age(self.config)
        if reloads >= 0:
            self._await(lambda: self.log.count(_RELOADED) > reloads, "no reload")
        return output

    def run(self, commands: Iterable[str]) -> None:
        """Run shell commands one after the other."""
        for command in commands:
            self.shell(command)

    def reload(self) -> None:
        """Make every process read the configuration anew, and wait until the old ones have gone."""
        old = self._asking()
        self.shell(["postfix", "-c", str(self.config), "reload"])
        self._await(lambda: not old & self._asking(), "old processes stay after the reload")

    def _asking(self) -> set[str]:
        """Processes that ask DNS lists, by id."""
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text()
        return {pid for pid in children.split() if _name(pid) in ("smtpd", "postscreen", "dnsblog")}

    def await_log(self, is_there: Callable[[str], bool]) -> str:
        """Wait until the log shows something; the log.

        Raises AssertionError with its tail when it does not.
        """
        self._await(lambda: is_there(self.log), "not in the log")
        return self.log

    def _await(self, is_so: Callable[[], bool], failure: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, f"{failure}:\n{self.log[-3000:]}"
            time.sleep(_POLL)

    def deliver(self, visitor: Visitor, recipient: str = RECIPIENT) -> Reply:
        """Try to deliver a message through smtpd; the reply that decided."""
        return deliver(HOST, self.port, visitor, recipient=recipient)[-1]

    def deliver_screened(self, visitor: Visitor, recipient: str = RECIPIENT) -> list[Reply]:
        """Try to deliver a message through postscreen; all replies."""
        return deliver(HOST, self.screen_port, visitor, recipient=recipient, proxy=True)


@contextlib.contextmanager
def postfix(
    name_server: str,
    settings: Mapping[str, str] | None = None,
    *,
    postscreen: bool = False,
    services: Iterable[str] = (),
) -> Iterator[Postfix]:
    """Run a Postfix that resolves names through `name_server` for the length of a `with` block.

    `settings` are added to main.cf, `services` (lines) to master.cf. Raises RuntimeError where no
    Postfix can be run.
    """
    _check_possible()
    folder = Path(tempfile.mkdtemp(prefix="mailmum-postfix-", dir="/var/tmp"))
    group = 0
    try:
        port = free_port()
        screen_port = free_port() if postscreen else 0
        _write(folder, name_server, settings or {}, port, screen_port)
        with (folder / "etc/master.cf").open("a") as master:
            master.writelines(f"{line}\n" for line in services)
        _age(folder / "etc")
        # As `postfix start-fg`, which gives master a session of its own; here it ends with the
        # child. (Only a killed test run leaves it behind: its signal is lost on a change of user.)
        config = str(folder / "etc")
        daemons = _run(["postconf", "-c", config, "-h", "daemon_directory"]).strip()
        _run(["postfix", "-c", config, "check"])
        with running(
            [f"{daemons}/master", "-c", config, "-d"],
            ready=lambda: "daemon started" in _read(folder / "mail.log"),
            env={"PATH": _PATH},
        ) as child:
            group = child.pid
            yield Postfix(folder, port, screen_port, child)
    finally:
        _await_end(group)
        shutil.rmtree(folder)


def _check_possible() -> None:
    if os.geteuid() != 0:
        raise RuntimeError(
            f"a private Postfix has to be started by root, and this is user {os.geteuid()}: "
            "run the Postfix tests as root, in a container for example"
        )
    if shutil.which("postfix", path=_PATH) is None:
        raise RuntimeError("no Postfix here: script/bootstrap --test installs it")


def _write(
    folder: Path, name_server: str, settings: Mapping[str, str], port: int, screen_port: int
) -> None:
    folder.chmod(0o755)
    for name in ("etc", "queue", "queue/etc", "data"):
        (folder / name).mkdir(mode=0o755)
    user = pwd.getpwnam("postfix")
    os.chown(folder / "data", user.pw_uid, user.pw_gid)
    (folder / "queue/etc/resolv.conf").write_text(
        f"nameserver {name_server}\noptions timeout:2 attempts:1\n"
    )
    main = _MAIN.format(folder=folder, recipient=RECIPIENT)
    main += "".join(f"{name} = {value}\n" for name, value in settings.items())
    (folder / "etc/main.cf").write_text(main)
    master = _MASTER.format(host=HOST, port=port)
    if screen_port:
        with (folder / "etc/main.cf").open("a") as more:
            more.write(_SCREEN_MAIN)
        master += _SCREEN.format(host=HOST, port=screen_port)
    (folder / "etc/master.cf").write_text(master)
    _age(folder / "etc")


def _await_end(group: int) -> None:
    if not group:
        return
    # They have been killed; a folder in which one still writes cannot be removed.
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(_POLL)
    raise RuntimeError(f"processes of Postfix {group} do not end")


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command,
        env={"PATH": _PATH, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def _age(config: Path) -> None:
    # Postfix reads a configuration file again and again until it is older than a second or two
    # (it may be half written), which would cost each start and reload that much.
    past = time.time() - 60
    for name in ("main.cf", "master.cf"):
        os.utime(config / name, (past, past))


def _name(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:  # it has ended meanwhile
        return ""


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
