"""What an export is given: rows, and how to write them.

A row is a listing with what the database adds to it.  Formats that a mail server or rbldnsd reads
show the lists of one server, so they take the rows of the account and of at most that server, and
leave out what is not in force; formats for people and programs (csv, json) take all rows as they
are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailmum.dns.texts import code_of
from mailmum.domain.errors import BadInput
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Listing
from mailmum.domain.targets import Kind

ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One listing to be written.

    Attributes:
        listing: the listing.
        scope: `account` or the name of its server.
        note: the private note.
        created: Unix time in seconds at which it was made, or None.
    """

    listing: Listing
    scope: str = ACCOUNT
    note: str = ""
    created: int | None = None


@dataclass(frozen=True, slots=True)
class ZoneHead:
    """The SOA and NS records of an exported zone.

    Attributes:
        name_servers: host names of the name servers, the first is the primary.
        hostmaster: mail address of the owner in its DNS form, such as `hostmaster.example.net`.
        ttl: TTL of both records and SOA MINIMUM, in seconds.
    """

    name_servers: tuple[str, ...]
    hostmaster: str
    ttl: int = 60


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to write a file.

    Attributes:
        action: which list to write in a format that holds only one: blocked or allowed targets.
        now: Unix time in seconds by which it is decided what is in force.
        account_code: the account's own return code as a 32-bit integer, or None.
        head: SOA and NS records for formats that have a place for them, or None.
        test_entries: whether to add the test entries of RFC 5782 section 5.
        presorted: whether rows of addresses and networks come in the order of their targets, so
            that they need not be held in memory to be sorted.
    """

    action: Action = Action.BLOCK
    now: float = 0.0
    account_code: int | None = None
    head: ZoneHead | None = None
    test_entries: bool = True
    presorted: bool = False


def in_force(rows: Iterable[ExportRow], now: float) -> Iterator[ExportRow]:
    """The rows in force at `now`, as one server sees them.

    Raises:
        BadInput: rows of more than one server, of which no single list can be made.
    """
    server = WHOLE_ACCOUNT
    for row in rows:
        scope = row.listing.scope
        if scope not in (WHOLE_ACCOUNT, server):
            if server != WHOLE_ACCOUNT:
                raise BadInput(
                    "this format holds the list of one server, and there are listings of several",
                    fix="name one of them, or export as csv or json",
                    field="server",
                )
            server = scope
        if row.listing.in_force(now):
            yield row


def answer_code(listing: Listing, account_code: int | None) -> int:
    """The A record that MailMum answers for a listing, as a 32-bit integer.

    Its own code, else the account's, else the default of its source and kind.
    """
    if listing.code is not None:
        return listing.code
    if account_code is not None:
        return account_code
    kind = listing.target.kind
    single = kind in (Kind.ADDRESS, Kind.HOST)
    return code_of(listing.source, single, kind in (Kind.HOST, Kind.DOMAIN))
