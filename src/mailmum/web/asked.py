"""What the address of the page Search asks for, and the addresses that ask for it.

    ?q=203.0.113.0/24&what=own&server=mx1&range=day

`q` understands an address, a network, a domain with a dot in front; anything else is looked for in
names, senders and recipients.  `once=1` counts each contact once, by the best source of each
server, as the Overview does: whoever follows a number from there finds as many.  It is also what an
address gets that asks for nothing: else lookups, of which a mail server makes several for each
contact, would push out of sight what became of the mail.  `once=0` is every sighting.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import QueryDict

from mailmum.control.monitor.ranges import WORDS
from mailmum.control.monitor.search import Question
from mailmum.domain.errors import BadInput
from mailmum.domain.targets import parse_network
from mailmum.traffic.sightings import Source
from mailmum.web.groups import meant_by
from mailmum.web.stretches import moment_text, read_moment, since_of

SOURCES = (
    (Source.LOG.value, "Mail log"),
    (Source.DNS.value, "Lookups over DNS"),
    (Source.POLICY.value, "Policy service"),
)
FIELDS = (
    "q",
    "server",
    "what",
    "range",
    "sender",
    "recipient",
    "rbl",
    "alone",
    "source",
    "since",
    "until",
    "once",
)
MORE = {
    "sender": "sender",
    "recipient": "recipient",
    "rbl": "list",
    "alone": "named by no other list",
    "source": "seen by",
    "since": "from",
    "until": "to",
    "once": "each contact once",
}
_ADDRESS = re.compile(r"[0-9a-fA-F.:/\[\]]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """The fields as they were typed."""

    q: str = ""
    server: str = ""
    what: str = ""
    range: str = ""
    sender: str = ""
    recipient: str = ""
    rbl: str = ""
    alone: str = ""
    source: str = ""
    since: str = ""
    until: str = ""
    once: str = ""

    @property
    def any(self) -> bool:
        """Whether anything is left out that is nowhere else in what is found."""
        return any(getattr(self, name) for name in FIELDS if name != "once")

    @property
    def more(self) -> list[tuple[str, str, str]]:
        """What is in use of the fields that are not shown at first: field, words, value."""
        fields = ((name, label, getattr(self, name)) for name, label in MORE.items())
        return [field for field in fields if field[2]]

    @property
    def query(self) -> str:
        """The address's part behind the question mark."""
        asked = [(name, value) for name in FIELDS if (value := getattr(self, name))]
        return urlencode(asked or [("once", "0")])

    def without_time(self) -> "Asked":
        """The same at any time."""
        return replace(self, range="", since="", until="")

    def with_all(self) -> "Asked":
        """The same with every sighting of each contact."""
        return replace(self, once="")

    def question(self, now: float) -> Question:
        """What the control plane is asked.

        Raises:
            BadInput: something of it cannot be understood; the message names the field.
        """
        groups, outcomes = meant_by(self.what)
        return Question(
            server=self.server,
            **_said(self.q),
            groups=groups,
            outcomes=outcomes,
            sources=[self.source] if self.source else [],
            sender=self.sender,
            recipient=self.recipient,
            rbl=self.rbl,
            alone=bool(self.alone),
            best=bool(self.once),
            since=self._since(now),
            until=_moment(self.until, now, "until"),
        )

    def _since(self, now: float) -> str:
        if not self.range:
            return _moment(self.since, now, "since")
        if self.range not in WORDS:
            raise BadInput("that is no stretch of time", fix="choose one", field="range")
        return moment_text(since_of(self.range, now))


def asked_of(data: QueryDict) -> Asked:
    """What an address asks for; one of the four ranges outranks dates."""
    asked = Asked(**{name: data.get(name, "").strip() for name in FIELDS})
    if not any(name in data for name in FIELDS):
        asked = Asked(once="1")
    elif asked.once == "0":
        asked = asked.with_all()
    return replace(asked, since="", until="") if asked.range else asked


def search_query(**fields: str) -> str:
    """The part behind the question mark that asks for this."""
    return Asked(**fields).query


def _said(text: str) -> Mapping[str, str]:
    """What is meant by the one field for everything."""
    bare = text.removeprefix("[").removesuffix("]")
    if _ADDRESS.fullmatch(text) and any(mark in text for mark in ".:/"):
        try:
            parse_network(bare)
        except BadInput:
            # Half an address finds nothing as a network, but may as text: in HELO, in names.
            return {"client": bare} if "/" in text else {"text": text}
        return {"client": bare}
    return {"name": text} if text.startswith(".") and len(text) > 1 else {"text": text}


def _moment(text: str, now: float, field: str) -> str:
    return moment_text(read_moment(text, now, field)) if text else ""
