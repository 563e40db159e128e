"""Independent readers of what we write: rbldnsd and postmap themselves, from their packages."""

import contextlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import dns.message
import dns.rdatatype

from mailmum.domain.clients import AddressSubject, NameSubject, Subject
from tests.support.ports import free_port
from tests.support.process import Child, running

RBLDNSD = "/usr/sbin/rbldnsd"
POSTMAP = "/usr/sbin/postmap"
_POSTFIX = """\
compatibility_level = 3.6
myhostname = mail.example.net
mydomain = example.net
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
"""


class Answers:
    """Asks a running rbldnsd."""

    def __init__(self, port: int, child: Child) -> None:
        self.child = child
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(5)
        self._socket.connect(("127.0.0.1", port))

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def ask(self, subject: Subject, zone: str) -> tuple[list[str], list[str]]:
        """The A and TXT records for a client, both empty when it is not listed."""
        name = f"{query_name(subject)}.{zone}"
        return self._records(name, "A"), self._records(name, "TXT")

    def lists(self, subject: Subject, zone: str) -> bool:
        """Whether the client is listed."""
        return bool(self._records(f"{query_name(subject)}.{zone}", "A"))

    def _records(self, name: str, kind: str) -> list[str]:
        query = dns.message.make_query(name, kind)
        self._socket.send(query.to_wire())
        reply = dns.message.from_wire(self._socket.recv(4096))
        assert reply.id == query.id
        found = []
        for answer in reply.answer:
            for record in answer:
                if record.rdtype == dns.rdatatype.A:
                    found.append(record.to_text())
                else:
                    found.append(b"".join(record.strings).decode())
        return found


def query_name(subject: Subject) -> str:
    """The name below a zone that asks about a client."""
    if isinstance(subject, NameSubject):
        return subject.name
    assert isinstance(subject, AddressSubject)
    if subject.version == 4:
        return ".".join(reversed(subject.text.split(".")))
    return ".".join(reversed(f"{subject.address:032x}"))


@contextlib.contextmanager
def rbldnsd(zones: Mapping[str, tuple[str, str]]) -> Iterator[Answers]:
    """Serve zones, each given as its type and the text of its file."""
    with tempfile.TemporaryDirectory(prefix="mailmum-rbldnsd-") as name:
        folder = Path(name)
        # It does not run as root, and its user must be able to read the files.
        folder.chmod(0o755)
        specs = []
        for number, (zone, (kind, text)) in enumerate(zones.items()):
            (folder / f"data{number}").write_text(text, encoding="utf-8", newline="")
            specs.append(f"{zone}:{kind}:data{number}")
        port = free_port("udp")
        who = ["-u", "rbldns"] if os.geteuid() == 0 else []
        command = [RBLDNSD, "-n", "-b", f"127.0.0.1/{port}", "-w", str(folder), *who, *specs]
        with running(command, r"started \(") as child:
            answers = Answers(port, child)
            try:
                yield answers
            finally:
                answers.close()


def postmap(kind: str, table: str, keys: Iterable[str]) -> dict[str, str]:
    """What Postfix finds in a table of the given kind (`cidr`, `texthash`) for each key.

    Any complaint of Postfix about the table fails the test.
    """
    with tempfile.TemporaryDirectory(prefix="mailmum-postmap-") as name:
        folder = Path(name)
        (folder / "main.cf").write_text(_POSTFIX)
        (folder / "table").write_text(table, encoding="utf-8", newline="")
        for file in folder.iterdir():
            # Postfix waits two seconds for a file that may still be changing.
            os.utime(file, (1_000_000_000, 1_000_000_000))
        done = subprocess.run(
            [POSTMAP, "-c", folder, "-q", "-", f"{kind}:{folder / 'table'}"],
            input="".join(f"{key}\n" for key in keys),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    assert done.stderr == ""
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())
