"""Mail providers that everybody gets mail from: whose networks a client is in.

Their sets are feeds of the kind `spf`, kept like any other.  By its use a set allows, or keeps
triggers from listing what is in it (an allowing one does so too), or is only named before somebody
lists what is in it.  One of a single server keeps that server's mail: away from what lists there
alone, and from what lists everywhere; of a server that was removed it keeps nothing.
"""

from dataclasses import dataclass

from mailmum.control.feeds.contents import SHELF
from mailmum.control.feeds.lookups import with_entries
from mailmum.control.feeds.models import Kind, Use
from mailmum.control.feeds.queries import with_a_place
from mailmum.domain.listings import WHOLE_ACCOUNT
from mailmum.domain.targets import NetworkTarget
from mailmum.index.entries import Entries

PROPOSALS: tuple[tuple[str, str], ...] = (
    ("Amazon SES", "amazonses.com"),
    ("Apple iCloud", "icloud.com"),
    ("Fastmail", "spf.messagingengine.com"),
    ("GMX", "gmx.net"),
    ("Google", "_spf.google.com"),
    ("Mailchimp", "servers.mcsv.net"),
    ("Mailgun", "mailgun.org"),
    ("Microsoft 365", "spf.protection.outlook.com"),
    ("Proton Mail", "_spf.protonmail.ch"),
    ("SendGrid", "sendgrid.net"),
    ("WEB.DE", "web.de"),
    ("Yahoo", "_spf.mail.yahoo.com"),
    ("Zoho", "zoho.com"),
)
"""Well-known ones: a name, and the domain whose SPF record is theirs.

Not Salesforce: its record (`exists:%{i}...`) tells of each address by itself, no networks.
"""


@dataclass(frozen=True, slots=True)
class Providers:
    """Sets of one account, for many questions."""

    sets: tuple[tuple[str, int, Entries], ...]

    def of_address(self, version: int, address: int) -> str | None:
        """The provider that an address belongs to."""
        for name, _, entries in self.sets:
            if next(entries.bases[version].around(address), None) is not None:
                return name
        return None

    def of_network(self, network: NetworkTarget, scope: int = WHOLE_ACCOUNT) -> str | None:
        """A provider of which something lies in a network, or that holds it, if listed there."""
        for name, where, entries in self.sets:
            if WHOLE_ACCOUNT not in (where, scope) and where != scope:
                continue
            base = entries.bases[network.version]
            around, within = base.around(network.first), base.within(network.first, network.last)
            if next(around, None) is not None or next(within, None) is not None:
                return name
        return None


def protecting(account: int) -> Providers:
    """The sets that keep triggers from listing what is in them."""
    return _sets(account, [Use.LIST, Use.EXCEPT])


def known(account: int) -> Providers:
    """All sets of an account."""
    return _sets(account, list(Use))


def _sets(account: int, uses: list[Use]) -> Providers:
    feeds = with_entries().filter(account_id=account, kind=Kind.SPF, use__in=uses)
    rows = (
        with_a_place(feeds)
        .order_by("name")
        .values_list("name", "scope", "content", "content__digest")
    )
    return Providers(tuple((name, at, SHELF.get(pk, digest)) for name, at, pk, digest in rows))
