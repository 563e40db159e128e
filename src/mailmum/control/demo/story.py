"""What the mail servers of the demo logged in a week, line by line, as Postfix writes it.

Made from a seed and the time it ends at: the same two give the same lines.  Who comes:

- partners who deliver, more by day than by night;
- 203.0.113.0/25, a cloud that sends spam; it is blocked here since the third day;
- 198.51.100.64/27, a pool of dial-up lines that public lists know;
- 203.0.113.192/28 tries user names on the last day, and 2001:db8:bad::/64 passwords all week;
- 198.51.100.25, a customer's relay that a public list hits for a day, and 192.0.2.40, a partner
  whom it hits for three hours;
- in the last hours two who try user names faster than anybody types: triggers list them.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

OWN = "bl.mailmum.internal"
ZEN, COPPER = "zen.dnsbl.example", "bl.copper.example"
DAY, HOUR = 86_400, 3600
DAYS = 7
SPAM_BLOCKED_AFTER = 2 * DAY
LAST_HOURS = 26 * HOUR
_GUESSERS = (("198.51.100.201", 3 * HOUR), ("2001:db8:feed::7", HOUR))
"""Who guesses user names, and how long before the end."""
_PARTNERS = (
    ("192.0.2.10", "out1.newsletter.example"),
    ("192.0.2.11", "out2.newsletter.example"),
    ("192.0.2.40", "mail.partner.example"),
    ("192.0.2.41", "mx.supplier.example"),
    ("192.0.2.80", "smtp.bank.example"),
    ("198.51.100.25", "relay.customer.example"),
    ("2001:db8:25::25", "mx6.university.example"),
)
_UNKNOWN = "550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table"
# By night a third of what comes by day.
_NIGHT = frozenset((0, 1, 2, 3, 4, 5, 22, 23))


@dataclass(frozen=True, slots=True)
class Host:
    """A mail server of the demo.

    Attributes:
        name: as the account calls it.
        domain: whose mail it takes.
        hourly: contacts in an hour of the day.
        seed: makes its week differ from the others'.
    """

    name: str
    domain: str
    hourly: int
    seed: int


Event = tuple[float, list[str]]


class Week:
    """Writes the week of one server that ends at a time."""

    def __init__(self, host: Host, end: float) -> None:
        self._host = host
        self._begin = end - DAYS * DAY
        self._end = end
        self._chance = random.Random(host.seed)  # noqa: S311 (a story, no secret)
        self._process = 1000
        self._queue = 0x4D0000000

    def lines(self, until: float | None = None) -> tuple[bytes, bytes]:
        """All of it in the order of time, in two parts: before a time, and from then on."""
        events = sorted(self._events(), key=lambda event: event[0])
        parts: tuple[list[str], list[str]] = ([], [])
        for at, lines in events:
            parts[until is not None and at >= until].extend(f"{line}\n" for line in lines)
        return "".join(parts[0]).encode(), "".join(parts[1]).encode()

    def _events(self) -> Iterator[Event]:
        chance, start = self._chance, self._begin
        while start < self._end:
            night = int(start % DAY) // HOUR in _NIGHT
            for _ in range(self._host.hourly // 3 if night else self._host.hourly):
                at = start + chance.random() * HOUR
                if at < self._end - 2:
                    yield self._one(at)
            start += HOUR
        yield from self._dictionary()
        yield from self._guessing()

    def _one(self, at: float) -> Event:
        makers: tuple[Callable[[float], Event], ...] = (
            self._partner, self._spam, self._pool, self._password, self._lost, self._greylisted,
        )  # fmt: skip
        make = self._chance.choices(makers, (38, 26, 18, 8, 5, 5))[0]
        return make(at)

    def _partner(self, at: float) -> Event:
        client, name = self._chance.choice(_PARTNERS)
        hit = 4 * DAY < at - self._begin < 5 * DAY
        if client == "198.51.100.25" and hit:
            return self._listed(at, client, name, COPPER, "listed for a day")
        if client == "192.0.2.40" and 5 * DAY < at - self._begin < 5 * DAY + 3 * HOUR:
            return self._listed(at, client, name, COPPER, "listed by mistake")
        return self._accepted(at, client, name)

    def _spam(self, at: float) -> Event:
        number = min(int(self._chance.paretovariate(0.9)), 126)
        client, name = f"203.0.113.{number}", f"vps{number}.cheapcloud.example"
        if at - self._begin > SPAM_BLOCKED_AFTER:
            return self._listed(at, client, name, OWN, "Sent spam to our trap")
        if self._chance.random() < 0.7:
            return self._listed(at, client, name, ZEN, "listed")
        return self._accepted(at, client, name)

    def _pool(self, at: float) -> Event:
        number = self._chance.randrange(64, 96)
        rbl = self._chance.choice((ZEN, ZEN, COPPER))
        return self._listed(at, f"198.51.100.{number}", f"dsl{number}.pool.example", rbl, "dynamic")

    def _password(self, at: float) -> Event:
        client = f"2001:db8:bad::{self._chance.randrange(1, 40):x}"
        who = f"unknown[{client}]"
        failed = f"warning: {who}: SASL LOGIN authentication failed: authentication failure"
        return at, self._session(at, who, (f"smtpd[{self._next()}]: {failed}",))

    def _lost(self, at: float) -> Event:
        who = f"unknown[203.0.113.{self._chance.randrange(208, 250)}]"
        return at, self._session(
            at, who, (f"smtpd[{self._next()}]: lost connection after EHLO from {who}",)
        )

    def _greylisted(self, at: float) -> Event:
        client = f"192.0.2.{self._chance.randrange(120, 140)}"
        name = f"mta{client.rpartition('.')[2]}.sender.example"
        # Who comes again is let in.
        if self._chance.random() < 0.5:
            return self._accepted(at, client, name)
        who = f"{name}[{client}]"
        reply = "450 4.2.0 <{to}>: Recipient address rejected: Greylisted"
        return at, self._session(at, who, (self._refused(who, reply, "mta.sender.example"),))

    def _dictionary(self) -> Iterator[Event]:
        start = self._begin + 6 * DAY + 6 * HOUR
        for number in range(self._host.hourly * 3):
            at = start + number * 25
            who = f"unknown[203.0.113.{192 + number % 16}]"
            refused = self._refused(who, _UNKNOWN, "localhost", f"user{number}")
            yield at, self._session(at, who, (refused,))

    def _guessing(self) -> Iterator[Event]:
        for client, before in _GUESSERS:
            for number in range(24):
                at = self._end - before + number * 11
                refused = self._refused(f"unknown[{client}]", _UNKNOWN, "localhost", f"u{number}")
                yield at, self._session(at, f"unknown[{client}]", (refused,))

    def _listed(self, at: float, client: str, name: str, rbl: str, why: str) -> Event:
        who = f"{name}[{client}]"
        reply = f"554 5.7.1 Service unavailable; Client host [{client}] blocked using {rbl}; {why}"
        return at, self._session(at, who, (self._refused(who, reply, name),))

    def _refused(self, who: str, reply: str, helo: str, user: str = "") -> str:
        to = f"{user or self._chance.choice(('info', 'sales', 'anna', 'ben'))}@{self._host.domain}"
        sender = f"promo{self._chance.randrange(9)}@{helo}"
        return (
            f"smtpd[{self._next()}]: NOQUEUE: reject: RCPT from {who}: {reply.format(to=to)}; "
            f"from=<{sender}> to=<{to}> proto=ESMTP helo=<{helo}>"
        )

    def _accepted(self, at: float, client: str, name: str) -> Event:
        self._queue += 1
        ident, who = f"{self._queue:X}", f"{name}[{client}]"
        to = f"{self._chance.choice(('info', 'sales', 'anna', 'ben'))}@{self._host.domain}"
        delays = "delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Saved)"
        return at, self._session(
            at,
            who,
            (
                f"smtpd[{self._next()}]: {ident}: client={who}",
                f"cleanup[9]: {ident}: message-id=<{ident.lower()}@{name}>",
                f"qmgr[9]: {ident}: from=<news@{name}>, size=2900, nrcpt=1 (queue active)",
                f"lmtp[9]: {ident}: to=<{to}>, relay=none, {delays}",
                f"qmgr[9]: {ident}: removed",
            ),
        )

    def _next(self) -> int:
        return self._process + 1

    def _session(self, at: float, who: str, lines: tuple[str, ...]) -> list[str]:
        self._process += 1
        process = f"smtpd[{self._process}]: "
        when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        whole = (f"{process}connect from {who}", *lines, f"{process}disconnect from {who}")
        return [f"{when} {self._host.name} postfix/{line}" for line in whole]
