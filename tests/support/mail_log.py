"""A mail log as a busy Postfix writes it, line by line, with clients and mails that can be counted.

Times are those of now: what is too old a follower ends by itself.
"""

import random
from datetime import UTC, datetime


class MailLog:
    """Makes lines; each session is one of a few kinds, and some overlap."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._open: list[list[str]] = []
        self._number = 0

    def some(self, count: int) -> list[str]:
        """The next lines."""
        return [self._line() for _ in range(count)]

    def rest(self) -> list[str]:
        """The ends of all sessions that are open."""
        lines = [self._dated(text) for session in self._open for text in session]
        self._open = []
        return lines

    def _line(self) -> str:
        if len(self._open) < 4:
            self._number += 1
            self._open.append(_session(self._number, self._chance))
        at = self._chance.randrange(len(self._open))
        text = self._open[at].pop(0)
        if not self._open[at]:
            self._open.pop(at)
        return self._dated(text)

    def _dated(self, text: str) -> str:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        program, _, words = text.partition(" ")
        return f"{moment} mx1 postfix/{program}: {words}"


def _session(number: int, chance: random.Random) -> list[str]:
    smtpd = f"smtpd[{1000 + number}]"
    client = f"unknown[203.0.{number // 250 % 250}.{number % 250 + 1}]"
    sender, recipient = f"someone{number}@sender.example", f"user{number}@example.net"
    lines = [f"{smtpd} connect from {client}"]
    kind = chance.choice(("reject", "accept", "accept", "lost"))
    if kind == "reject":
        lines.append(
            f"{smtpd} NOQUEUE: reject: RCPT from {client}: 554 5.7.1 Service unavailable; "
            f"Client host [{client[8:-1]}] blocked using bl.example; listed; "
            f"from=<{sender}> to=<{recipient}> proto=ESMTP helo=<mail{number}.example>"
        )
    if kind == "accept":
        name = f"{0xA000000000 + number:X}"
        delays = "delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Saved)"
        lines += [
            f"{smtpd} {name}: client={client}",
            f"cleanup[77] {name}: message-id=<{number}@sender.example>",
            f"qmgr[78] {name}: from=<{sender}>, size=900, nrcpt=1 (queue active)",
            f"lmtp[79] {name}: to=<{recipient}>, relay=box[192.0.2.9]:24, {delays}",
            f"qmgr[78] {name}: removed",
        ]
    if kind == "lost":
        lines.append(f"{smtpd} lost connection after CONNECT from {client}")
    words = "ehlo=1 quit=1 commands=2" if kind != "lost" else "commands=0/0"
    return [*lines, f"{smtpd} disconnect from {client} {words}"]
