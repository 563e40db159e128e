"""The whole service, as an administrator starts it: `mailmum up` on a folder of its own.

    with service(tmp_path) as running:
        zones = running.json("server", "add", "mx1")["zones"]
        running.run("block", "203.0.113.7")
        assert running.lookup(f"7.113.0.203.{zones['bl']}") == ["127.0.0.2"]

It runs on the database that the suite runs on: a fresh SQLite file, or a fresh database of the
run's PostgreSQL. Its tables are there already (see `tests.support.tables`); with `empty=True` the
start makes them, as an administrator's first does.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from dns import query as over
from dns.message import Message, make_query

from mailmum.daemons import snapshots
from mailmum.domain.listings import Action
from tests.support.plugin import run_database
from tests.support.ports import free_port
from tests.support.process import Child, running
from tests.support.tables import copy_tables, fresh_database
from tests.support.waiting import PATIENCE, eventually

MAILMUM = Path(sys.executable).with_name("mailmum")
START_SECONDS = 60.0


@dataclass
class Service:
    """A running service.

    Attributes:
        data: its data folder.
        web: host:port of pages and API.
        dns: host and port of DNS.
        environment: for commands that speak to it.
        options: further options of `mailmum up`.
        empty: whether its first start makes the tables.
        child: the process; replaced when the service is started again.
    """

    data: Path
    web: str
    dns: tuple[str, int]
    environment: dict[str, str]
    options: tuple[str, ...] = ()
    empty: bool = False
    child: Child | None = field(default=None)

    @property
    def policy(self) -> str:
        """host:port of the policy service."""
        return self.environment["MAILMUM_POLICY"]

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://{self.web}"

    def run(
        self, *words: str, given: str | None = None, status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb of the command line, and check its exit status."""
        done = subprocess.run(
            [MAILMUM, *words],
            input=given,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *words: str, given: str | None = None, status: int = 0) -> Any:
        """Run a verb with --json, and read what it prints."""
        return json.loads(self.run(*words, "--json", given=given, status=status).stdout)

    def ask(self, name: str, kind: str = "A", *, tcp: bool = False) -> Message:
        """Ask the service's own DNS."""
        ask = over.tcp if tcp else over.udp
        return ask(make_query(name, kind), self.dns[0], timeout=5, port=self.dns[1])

    def lookup(self, name: str, kind: str = "A") -> list[str]:
        """The records of an answer, as text."""
        return [item.to_text() for rrset in self.ask(name, kind).answer for item in rrset]

    def saved_block(self, key: str, address: str) -> bool:
        """Whether the snapshot on the disk blocks an IPv4 address at the server with this key."""
        try:
            index = snapshots.read(self.data / "index.snapshot")
        except FileNotFoundError:
            return False
        found = index.key(key.encode("ascii"), time.time())
        if found is None:
            return False
        hit = index.find_address(found.server, 4, int(IPv4Address(address)), time.time())
        return hit is not None and hit.action is Action.BLOCK

    def eventually(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until something holds; a change takes some milliseconds to be answered."""
        eventually(condition, seconds)

    def sign_in_link(self) -> str:
        """The one-time link that the first start printed."""
        assert self.child is not None
        return next(
            word for word in self.child.output.split() if word.startswith(f"{self.url}/enter/")
        )

    @contextlib.contextmanager
    def up(self) -> Iterator["Service"]:
        """Run `mailmum up` for the length of a `with` block."""
        if not (self.empty or self.data.exists() or "MAILMUM_DATABASE" in self.environment):
            copy_tables(self.data)
        host, port = self.dns
        command: list[str | Path] = [MAILMUM, "up", "--data", str(self.data), "--web", self.web]
        command += ["--dns", f"{host}:{port}", *self.options]
        with running(
            command, r"^ready", timeout=START_SECONDS, env=self.environment, cwd=self.data.parent
        ) as child:
            self.child = child
            yield self


def make_service(
    folder: Path,
    *options: str,
    dns: tuple[str, int] | None = None,
    sqlite: bool = False,
    empty: bool = False,
    **parameters: str,
) -> Service:
    """A service that is not started yet.

    Args:
        folder: its data folder will be `data` in here.
        options: further options of `mailmum up`.
        dns: where it shall answer DNS; a free port of loopback by default.
        sqlite: on SQLite whatever the suite runs on, for what only a file can suffer.
        empty: without its tables, for what is about the first start.
        parameters: further parameters, such as public_url.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MAILMUM_")
    }
    environment["MAILMUM_POLICY"] = f"127.0.0.1:{free_port('tcp')}"
    environment |= {f"MAILMUM_{name.upper()}": value for name, value in parameters.items()}
    environment["MAILMUM_DATA"] = str(folder / "data")
    url = "" if sqlite else run_database()
    if url:
        environment["MAILMUM_DATABASE"] = fresh_database(url, empty=empty)
    return Service(
        data=folder / "data",
        web=f"127.0.0.1:{free_port('tcp')}",
        dns=dns or ("127.0.0.1", free_port("both")),
        environment=environment,
        options=options,
        empty=empty,
    )


@contextlib.contextmanager
def service(folder: Path, *options: str, **parameters: Any) -> Iterator[Service]:
    """A service for the length of a `with` block; see `make_service`."""
    with make_service(folder, *options, **parameters).up() as made:
        yield made
