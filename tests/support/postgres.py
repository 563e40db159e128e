"""A private PostgreSQL for tests: made in a temporary folder, gone afterwards.

Debian's package brings the programs (/usr/lib/postgresql/*/bin); its own clusters and services
are left alone. PostgreSQL refuses to run as root, so root hands it to the user `postgres`, or
`nobody`. Durability is off: the data never outlives the run.

    with postgres() as cluster:
        psycopg.connect(cluster.url())
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psycopg

from tests.support.ports import free_port
from tests.support.process import ProcessFailed, running

SUPERUSER = "mailmum"
_ATTEMPTS = 3
_SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "synchronous_commit": "off",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster: loopback port, folder of its Unix socket, process id."""

    port: int
    socket_folder: Path
    pid: int

    def url(self, database: str = "postgres") -> str:
        """The libpq address of one of its databases, over loopback, without a password."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"


def programs() -> Path:
    """The folder of the newest PostgreSQL programs. Raises FileNotFoundError with the fix."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda folder: int(folder.parent.name))
    on_path = shutil.which("initdb")
    if on_path is None:
        raise FileNotFoundError("no PostgreSQL programs; run script/bootstrap --test")
    return Path(on_path).parent


def _owner() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def _as(owner: pwd.struct_passwd | None) -> list[str]:
    if owner is None:
        return []
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--"]


def _make(folder: Path, owner: pwd.struct_passwd | None) -> Path:
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    command = [*_as(owner), str(programs() / "initdb"), "--pgdata", str(data)]
    command += ["--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8"]
    command += ["--locale", "C.UTF-8", "--no-sync", "--no-instructions"]
    made = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    if made.returncode != 0:
        raise ProcessFailed(f"initdb failed with {made.returncode}:\n{made.stdout}{made.stderr}")
    return data


def _answers(port: int) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(
            f"postgresql://{SUPERUSER}@127.0.0.1:{port}/postgres", connect_timeout=2
        ).close()
        return True
    return False


@contextlib.contextmanager
def _served(
    folder: Path, data: Path, owner: pwd.struct_passwd | None, environment: Mapping[str, str]
) -> Iterator[Cluster]:
    port = free_port("tcp")
    settings = _SETTINGS | {"port": str(port), "unix_socket_directories": str(folder)}
    # The inner setpriv: changing the user drops the outer one's tie to the test run.
    command = [*_as(owner), "setpriv", "--pdeathsig", "INT", "--", str(programs() / "postgres")]
    command += ["-D", str(data), *(f"--{name}={value}" for name, value in settings.items())]
    # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
    with running(
        command,
        lambda: _answers(port),
        timeout=30,
        env=os.environ | environment,
        cwd=folder,
        stop_signal=signal.SIGINT,
    ) as child:
        yield Cluster(port, folder, child.pid)


def _start(stack: contextlib.ExitStack, folder: Path, environment: Mapping[str, str]) -> Cluster:
    owner = _owner()
    data = _make(folder, owner)
    for _ in range(_ATTEMPTS - 1):
        try:
            return stack.enter_context(_served(folder, data, owner, environment))
        except ProcessFailed as error:
            # Another program may take the port between the look and the start.
            if "already in use" not in str(error):
                raise
    return stack.enter_context(_served(folder, data, owner, environment))


@contextlib.contextmanager
def postgres(environment: Mapping[str, str] = MappingProxyType({})) -> Iterator[Cluster]:
    """A fresh cluster for the length of a `with` block; takes about a second to make.

    `environment` is what its processes get beside that of the tests.

    Raises FileNotFoundError without the programs, ProcessFailed when they do not work.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mailmum-pg-") as folder,
        contextlib.ExitStack() as stack,
    ):
        yield _start(stack, Path(folder), environment)


@contextlib.contextmanager
def postgres_again(cluster: Cluster, environment: Mapping[str, str]) -> Iterator[Cluster]:
    """A cluster that has stopped itself, started as an administrator would; on another port."""
    with _served(
        cluster.socket_folder, cluster.socket_folder / "data", _owner(), environment
    ) as again:
        yield again
