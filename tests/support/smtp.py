"""A small SMTP client that shows every reply, and can speak for any client.

With XCLIENT (Postfix's XCLIENT_README) an smtpd that trusts us takes address, name and HELO of the
client we name; with a line of the PROXY protocol (version 1) a postscreen does. So a test on
loopback can be any mail server in the world.
"""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

RECIPIENT = "owner@example.net"
SENDER = "someone@sender.example"


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply: its code, and its lines joined by a blank."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who connects: `name` is the verified name, `reverse` what reverse DNS claims."""

    address: str
    name: str = ""
    reverse: str = ""
    helo: str = "mail.visitor.example"

    @property
    def attributes(self) -> str:
        """The arguments of XCLIENT."""
        address = f"IPV6:{self.address}" if ":" in self.address else self.address
        name = self.name or "[UNAVAILABLE]"
        reverse = self.reverse or self.name or "[UNAVAILABLE]"
        return f"ADDR={address} NAME={name} REVERSE_NAME={reverse}"

    @property
    def proxy_line(self) -> bytes:
        """The line of the PROXY protocol."""
        family = "TCP6" if ":" in self.address else "TCP4"
        local = "::1" if ":" in self.address else "127.0.0.1"
        return f"PROXY {family} {self.address} {local} 40000 25\r\n".encode()


class Session:
    """One connection, a command at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rb")
        self._connection = connection
        self.replies: list[Reply] = []

    def read(self) -> Reply:
        """The next reply. Raises ConnectionError when the server has gone."""
        lines = []
        while True:
            line = self._file.readline().decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                raise ConnectionError(f"the server closed the connection after {self.replies}")
            lines.append(line[4:])
            if line[3:4] != "-":
                reply = Reply(int(line[:3]), " ".join(lines))
                self.replies.append(reply)
                return reply

    def say(self, line: str) -> Reply:
        """Send one command and read its reply."""
        self._connection.sendall(f"{line}\r\n".encode())
        return self.read()


@contextlib.contextmanager
def session(host: str, port: int, first: bytes = b"", timeout: float = 30.0) -> Iterator[Session]:
    """A connection whose greeting has not been read; `first` is sent before anything else."""
    with socket.create_connection((host, port), timeout) as connection:
        if first:
            connection.sendall(first)
        yield Session(connection)


def deliver(
    host: str,
    port: int,
    visitor: Visitor,
    *,
    recipient: str = RECIPIENT,
    sender: str = SENDER,
    proxy: bool = False,
) -> list[Reply]:
    """Try to deliver one message as `visitor`; all replies, the last one decides.

    Stops at the first refusal, as a mail server would. With `proxy` the visitor is named by the
    PROXY protocol, else by XCLIENT.
    """
    with session(host, port, visitor.proxy_line if proxy else b"") as smtp:
        steps = [] if proxy else [f"EHLO {visitor.helo}", f"XCLIENT {visitor.attributes}"]
        steps += [f"EHLO {visitor.helo}", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"]
        steps.append("Subject: test\r\n\r\nHello.\r\n.")
        if smtp.read().code != 220:
            return smtp.replies
        for step in steps:
            if smtp.say(step).code >= 400:
                break
        with contextlib.suppress(ConnectionError):
            smtp._connection.sendall(b"QUIT\r\n")
        return smtp.replies
