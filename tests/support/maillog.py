"""A week of a mail server's log with a story in it, and what was put into it.

Written as Postfix 3.7 writes, one line after another in the order of time:

- partners deliver day and night, more by day; one of them, 198.51.100.25, was also rejected by the
  first list;
- strangers all over 2001:db8::/32 and 192.0.2.0/24 are on one list, the other, or both;
- a third list only warns; a list of one's own rejects a few;
- 203.0.113.0/24 tries a dictionary on Tuesday; 2001:db8:bad::/64 guesses passwords;
- a relay tester, greylisting, lost connections;
- on Thursday nothing was logged for nine hours;
- somebody calls itself by names that are meant to hurt whoever reads the log.

The ledger counts what is written while it is written, with no reader of logs in it.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 11, 15, tzinfo=UTC)
ZEN, COPPER, WARNING, OWN = (
    "zen.dnsbl.example",
    "bl.copper.example",
    "ix.warning.example",
    "bl.mailmum.internal",
)
PARTNER = "198.51.100.25"
EVIL = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    '"><svg onload=alert(3)>',
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass
class Ledger:
    """What was written.

    Attributes:
        lines: the log.
        outcomes: contacts by outcome.
        hits: by list, warnings among them.
        clients: contacts that were stopped, by client.
        accepted: recipients accepted, by client.
    """

    lines: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    clients: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)

    @property
    def text(self) -> str:
        """The log as a file has it."""
        return "".join(f"{line}\n" for line in self.lines)


class Writer:
    """Writes sessions and counts them."""

    def __init__(self, seed: int = 7) -> None:
        self.random = random.Random(seed)
        self.ledger = Ledger()
        self.now = BEGIN
        self._process = 1000
        self._queue = 0x4C0000000

    def line(self, program: str, text: str) -> None:
        """One line, a little later than the one before."""
        self.now += timedelta(milliseconds=self.random.randrange(1, 400))
        when = f"{_MONTHS[self.now.month - 1]} {self.now.day:2d} {self.now:%H:%M:%S}"
        self.ledger.lines.append(f"{when} mx1 postfix/{program}[{self._process}]: {text}")

    def _begin(self, client: str, name: str) -> str:
        self._process = 1000 + (self._process - 999) % 30000
        who = f"{name or 'unknown'}[{client}]"
        self.line("smtpd", f"connect from {who}")
        return who

    def refuse(
        self,
        client: str,
        outcome: str,
        reply: str,
        *,
        name: str = "",
        helo: str = "host.visitor.example",
        word: str = "reject",
        sender: str = "someone@sender.example",
    ) -> None:
        """A session in which one recipient is refused."""
        who = self._begin(client, name)
        to = f"user{self.random.randrange(400)}@example.net"
        text = reply.replace("CLIENT", client).replace("TO", to)
        tail = f"from=<{sender}> to=<{to}> proto=ESMTP helo=<{helo}>"
        self.line("smtpd", f"NOQUEUE: {word}: RCPT from {who}: {text}; {tail}")
        self.line("smtpd", f"disconnect from {who} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4")
        self.ledger.outcomes[outcome] += 1
        if outcome != "warned":
            self.ledger.clients[client] += 1

    def listed(
        self,
        client: str,
        zone: str,
        *,
        name: str = "",
        helo: str = "x.visitor.example",
        warned: bool = False,
    ) -> None:
        """A client that a list names."""
        reply = (
            f"554 5.7.1 Service unavailable; Client host [CLIENT] blocked using {zone}; "
            "See http://www.dnsbl.example/query/CLIENT"
        )
        word = "reject_warning" if warned else "reject"
        self.refuse(
            client, "warned" if warned else "rejected", reply, name=name, helo=helo, word=word
        )
        self.ledger.hits[zone] += 1

    def deliver(self, client: str, name: str, sender: str, status: str = "sent") -> None:
        """A message that is accepted."""
        who = self._begin(client, name)
        self._queue += 1
        queue = f"{self._queue:X}"
        to = f"user{self.random.randrange(400)}@example.net"
        self.line("smtpd", f"{queue}: client={who}")
        self.line("cleanup", f"{queue}: message-id=<{self._queue}@{name}>")
        self.line("qmgr", f"{queue}: from=<{sender}>, size=4242, nrcpt=1 (queue active)")
        self.line("smtpd", f"disconnect from {who} ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5")
        said = {"sent": ("2.0.0", "250 2.0.0 Saved"), "bounced": ("5.2.2", "552 mailbox full")}
        dsn, text = said[status]
        relay = "relay=mx1.example.net[private/dovecot-lmtp], delay=0.1, delays=0.1/0/0/0.02"
        self.line("lmtp", f"{queue}: to=<{to}>, {relay}, dsn={dsn}, status={status} ({text})")
        self.line("qmgr", f"{queue}: removed")
        self.ledger.outcomes["accepted"] += 1
        self.ledger.accepted[client] += 1

    def guess(self, client: str) -> None:
        """A login that fails."""
        who = self._begin(client, "")
        self.line("smtpd", f"warning: {who}: SASL LOGIN authentication failed: UGFzc3dvcmQ6")
        self.line("smtpd", f"disconnect from {who} ehlo=1 auth=0/1 quit=1 commands=2/3")
        self.ledger.outcomes["auth-failed"] += 1
        self.ledger.clients[client] += 1

    def lose(self, client: str) -> None:
        """A connection that is lost."""
        who = self._begin(client, "")
        self.line("smtpd", f"lost connection after EHLO from {who}")
        self.line("smtpd", f"disconnect from {who} ehlo=1 commands=1")
        self.ledger.outcomes["lost"] += 1


UNKNOWN = "550 5.1.1 <TO>: Recipient address rejected: User unknown in virtual mailbox table"
RELAY = "454 4.7.1 <TO>: Relay access denied"
GREY = "450 4.2.0 <TO>: Recipient address rejected: Greylisted, try again later"


def week(scale: int = 1, seed: int = 7) -> Ledger:
    """The whole story; `scale` times as many contacts."""
    writer = Writer(seed)
    draw = writer.random
    strangers = [
        f"2001:db8:{draw.randrange(1, 0xFFF):x}::{draw.randrange(1, 0xFFFF):x}" for _ in range(300)
    ]
    strangers += [f"192.0.2.{octet}" for octet in range(1, 120)]
    for hour in range(7 * 24):
        writer.now = BEGIN + timedelta(hours=hour)
        if 4 * 24 + 8 <= hour < 4 * 24 + 17:
            continue
        busy = scale * (9 if 7 <= hour % 24 < 19 else 3)
        sessions = [_partner, _partner, _stranger, _stranger, _odd] * busy
        for session in sessions:
            _pause(writer, 3600 / len(sessions))
            session(writer, strangers)
        if 48 <= hour < 72:
            for _ in range(25 * scale):
                _dictionary(writer)
        if 100 <= hour < 120:
            for _ in range(2 * scale):
                writer.guess(f"2001:db8:bad::{draw.randrange(1, 9):x}")
    return writer.ledger


def _pause(writer: Writer, seconds: float) -> None:
    writer.now += timedelta(seconds=writer.random.random() * max(seconds - 4, 0.1))


def _partner(writer: Writer, _: list[str]) -> None:
    draw = writer.random
    at = draw.randrange(20, 60)
    client, name = f"198.51.100.{at}", f"mail{at}.partner{at % 7}.example"
    if client == PARTNER and draw.random() < 0.3:
        writer.listed(client, ZEN, name=name, helo=name)
        return
    if draw.random() < 0.1:
        writer.refuse(client, "deferred", GREY, name=name, helo=name)
        return
    status = "bounced" if draw.random() < 0.02 else "sent"
    writer.deliver(client, name, f"news@partner{at % 7}.example", status)


def _stranger(writer: Writer, strangers: list[str]) -> None:
    draw = writer.random
    at = int(draw.paretovariate(0.7)) % len(strangers)
    client = strangers[at]
    zone = (ZEN, ZEN, COPPER)[at % 3]
    if at % 5 == 0 and draw.random() < 0.4:
        zone = COPPER if zone == ZEN else ZEN
    name = f"host-{at}.dyn.pool{at % 11}.example" if at % 4 else ""
    writer.listed(client, zone, name=name, helo=f"host{at}.spam.example")


def _odd(writer: Writer, strangers: list[str]) -> None:
    draw = writer.random
    which = draw.randrange(8)
    client = f"192.0.2.{draw.randrange(130, 250)}"
    if which == 0:
        writer.refuse("192.0.2.66", "relay-denied", RELAY, helo="ylmf-pc")
    elif which == 1:
        writer.listed(client, WARNING, warned=True)
    elif which == 2:
        writer.listed(client, OWN)
    elif which == 3:
        writer.refuse("203.0.113.250", "unknown-recipient", UNKNOWN, helo=draw.choice(EVIL[:3]))
    elif which == 4:
        writer.listed(draw.choice(strangers), WARNING, warned=True)
    else:
        writer.lose(client)


def _dictionary(writer: Writer) -> None:
    octet = writer.random.randrange(60, 90)
    writer.now += timedelta(seconds=1)
    writer.refuse(
        f"203.0.113.{octet}", "unknown-recipient", UNKNOWN, helo=f"vps{octet}.cheap.example"
    )
