"""Sightings: one observed contact of a client with a mail server, as a value.

They come from three sources: the log of a mail server tells everything; lookups over DNS and
requests to the policy service tell only who was asked about and what was answered.  One sighting
stands for each recipient that was accepted or refused, else one for the session.

Everything a stranger wrote (names, addresses, texts) is bounded by whoever makes the sighting, and
may hold any character: escape it where it is shown.

Millions of them are made one after another; a named tuple is the quickest value to make.

    >>> seen = Sighting(1764154807.0, "mx1", "smtpd", "203.0.113.7", outcome=Outcome.REJECTED)
    >>> seen.outcome.stopped, event(seen)["time"]
    (True, '2025-11-26T11:00:07Z')
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple


class Source(StrEnum):
    """Who saw the contact."""

    LOG = "log"
    DNS = "dns"
    POLICY = "policy"


class Outcome(StrEnum):
    """What became of the contact.

    The first ten come from logs, the last three from lookups: what MailMum answered, which is not
    yet what the mail server did.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DEFERRED = "deferred"
    RELAY_DENIED = "relay-denied"
    UNKNOWN_RECIPIENT = "unknown-recipient"
    AUTH_FAILED = "auth-failed"
    PROTOCOL = "protocol"
    LOST = "lost"
    CONNECTED = "connected"
    WARNED = "warned"
    LISTED = "listed"
    ALLOWED = "allowed"
    UNLISTED = "unlisted"

    @property
    def stopped(self) -> bool:
        """Whether mail, or the attempt at it, was turned away."""
        return self in _STOPPED


_STOPPED = frozenset(
    {
        Outcome.REJECTED,
        Outcome.DEFERRED,
        Outcome.RELAY_DENIED,
        Outcome.UNKNOWN_RECIPIENT,
        Outcome.AUTH_FAILED,
        Outcome.PROTOCOL,
        Outcome.LISTED,
    }
)


_KEPT_BACK = ("hold: ", "discard: ")


class Delivery(StrEnum):
    """What became of an accepted message for one recipient."""

    SENT = "sent"
    DEFERRED = "deferred"
    BOUNCED = "bounced"


class Sighting(NamedTuple):
    """One observed contact; None is unknown.

    Attributes:
        time: Unix time in seconds, with fractions where the source has them.
        host: name of the machine that wrote the log; empty for lookups.
        service: of Postfix without its prefix, such as `smtpd` or `submission/smtpd`.
        client: address in canonical text.
        client_name: verified name of the client.
        helo: what it called itself.
        sender: envelope sender without brackets, empty for `<>`.
        recipient: envelope recipient likewise.
        outcome: what became of it.
        code: SMTP reply code.
        rbl: zone of the list that decided, lower case.
        queue_id: of the message at the mail server.
        delivery: of accepted mail, once known.
        score: of the spam filter.
        reason: what the reply said.
        named: where a list decided, the zones of all that named the client, if the server asked
            several at once and told of each; empty where only the one that decided is known.
        spam: whether the spam filter takes it for spam.
    """

    time: float
    host: str = ""
    service: str = ""
    client: str | None = None
    client_name: str | None = None
    helo: str | None = None
    sender: str | None = None
    recipient: str | None = None
    outcome: Outcome = Outcome.CONNECTED
    code: int | None = None
    rbl: str | None = None
    queue_id: str | None = None
    delivery: Delivery | None = None
    score: float | None = None
    reason: str | None = None
    named: tuple[str, ...] = ()
    spam: bool | None = None


class Update(NamedTuple):
    """What became known of mail after its sighting had been handed out.

    Attributes:
        time: Unix time of the sighting it belongs to, in seconds; about that without a host.
        host: as in the sighting; empty where the log that tells it names none.
        queue_id: as in the sighting.
        recipient: as in the sighting; None for all recipients of the message.
        delivery: the news, or None.
        score: the news, or None.
        spam: whether the spam filter takes it for spam, with the score.
    """

    time: float
    host: str
    queue_id: str
    recipient: str | None
    delivery: Delivery | None = None
    score: float | None = None
    spam: bool | None = None


def is_kept_back(delivery: Delivery | None, reason: str | None) -> bool:
    """Whether accepted mail was put on hold or thrown away, by a rule of the server's own.

    The client was told that it is accepted; that it delivered good mail cannot be said.
    """
    return delivery is None and reason is not None and reason.startswith(_KEPT_BACK)


def event(sighting: Sighting) -> dict[str, Any]:
    """The sighting as an object for JSON; `time` in RFC 3339, UTC."""
    fields = sighting._asdict()
    moment = datetime.fromtimestamp(sighting.time, UTC)
    precision = "milliseconds" if moment.microsecond else "seconds"
    fields["time"] = moment.isoformat(timespec=precision).replace("+00:00", "Z")
    return fields
