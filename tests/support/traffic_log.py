"""A mail log for pages: who delivers, who is stopped, and names that are meant to hurt.

    running.run("server", "add", "mx1")
    hand_in(running, "mx1", shipping(running, "mx1"), month())

198.51.100.0/24 has three senders whose mail is accepted and, in .64/27, a pool that a public list
stops.  203.0.113.201 calls itself by markup.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection

from tests.support.service import Service

EVIL = "<img/src=x/onerror=alert(1)>"
EVIL_CLIENT = "203.0.113.201"
NETWORK, POOL = "198.51.100.0/24", "198.51.100.64/27"
SENDERS = ("198.51.100.201", "198.51.100.130", "198.51.100.140")
LONG_CLIENT = "2001:db8:dead:beef:cafe:babe:1234:5678"
LONG_SENDER = f"bounce-{'0123456789abcdef' * 4}@a.newsletter.that.goes.on.and.on.example"
_LIST = "zen.dnsbl.example"


class Lines:
    """Writes lines as Postfix does, at the time that is said."""

    def __init__(self) -> None:
        self._number = 0

    def accepted(self, client: str, name: str, at: datetime) -> Iterator[str]:
        """A message that was taken."""
        self._number += 1
        ident = f"{0xA000000000 + self._number:X}"
        delays = "delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Saved)"
        yield from self._session(
            client,
            name,
            at,
            f"smtpd[{self._number}]: {ident}: client={name}[{client}]",
            f"cleanup[9]: {ident}: message-id=<{self._number}@{name}>",
            f"qmgr[9]: {ident}: from=<news@{name}>, size=900, nrcpt=1 (queue active)",
            f"lmtp[9]: {ident}: to=<anna@brightwater.example>, relay=none, {delays}",
            f"qmgr[9]: {ident}: removed",
        )

    def listed(self, client: str, name: str, at: datetime, rbl: str = _LIST) -> Iterator[str]:
        """A recipient that was refused on account of a list."""
        helo, sender = f"dsl-{client}.pool.example", "x7k2@pool.example"
        yield from self._refused(client, name, at, helo, sender, f"blocked using {rbl}; listed")

    def evil(self, client: str, at: datetime) -> Iterator[str]:
        """One whose HELO is markup."""
        yield from self._refused(
            client, "unknown", at, EVIL, LONG_SENDER, f"blocked using {_LIST}; {EVIL}"
        )

    def _refused(
        self, client: str, name: str, at: datetime, helo: str, sender: str, why: str
    ) -> Iterator[str]:
        self._number += 1
        refusal = f"554 5.7.1 Service unavailable; Client host [{client}] {why}"
        yield from self._session(
            client,
            name,
            at,
            f"smtpd[{self._number}]: NOQUEUE: reject: RCPT from {name}[{client}]: {refusal}; "
            f"from=<{sender}> to=<info@brightwater.example> proto=ESMTP helo=<{helo}>",
        )

    def _session(self, client: str, name: str, at: datetime, *lines: str) -> Iterator[str]:
        process = f"smtpd[{self._number}]: "
        for line in (
            f"{process}connect from {name}[{client}]",
            *lines,
            f"{process}disconnect from {name}[{client}]",
        ):
            yield f"{at.isoformat(timespec='milliseconds')} mx1 postfix/{line}"


def month() -> list[str]:
    """The last four weeks."""
    lines, now = Lines(), datetime.now(UTC)
    found: list[str] = []
    for days in range(27, -1, -1):
        at = now - timedelta(days=days, minutes=5)
        for place, client in enumerate(SENDERS):
            if days % (place + 2) == 0:
                found += lines.accepted(client, f"out{place}.newsletter.example", at)
        if days < 14:
            for last in range(64, 96, 3):
                found += lines.listed(f"198.51.100.{last}", "unknown", at)
        if days % 9 == 0:
            found += lines.evil(EVIL_CLIENT, at)
            found += lines.listed(LONG_CLIENT, "unknown", at)
    return found


def shipping(running: Service, server: str) -> str:
    """A token with which the logs of a server are handed in."""
    words = ("--account", "main", "--name", server, "--scope", "ship", "--server", server)
    return running.run("account", "token", "owner@localhost", *words).stdout.strip()


def hand_in(running: Service, server: str, secret: str, lines: Iterable[str]) -> None:
    """Hand lines in as a log shipper does; they are kept when this returns."""
    with closing(HTTPConnection(running.web, timeout=60)) as connection:
        connection.request(
            "POST",
            f"/api/v1/servers/{server}/logs",
            "".join(f"{line}\n" for line in lines),
            {"Authorization": f"Bearer {secret}", "Content-Type": "text/plain"},
        )
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
