"""A server as lookups see it: its record, and the tables that hold for it, in deciding order."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import inf

from mailmum.index.addresses import AddressTable
from mailmum.index.feeds import FeedAddresses, FeedNames
from mailmum.index.names import NameTable
from mailmum.index.records import ServerRecord
from mailmum.index.terms import Hit

OfAddresses = AddressTable | FeedAddresses
OfNames = NameTable | FeedNames
AddressStages = tuple[tuple[OfAddresses, ...], ...]
NameStages = tuple[tuple[OfNames, ...], ...]
"""For each tier that has listings: the server's own tables, then the account's.

Of one scope the feeds come first, then the table of listings (see `index.feeds`).
"""


class ServerEntry:
    """One server; the index fills in the tables.

    Attributes:
        record: what is known of the server.
        ends: Unix time in seconds from which nothing is listed; minus infinity when nothing is now.
        blocks_from: Unix time in seconds before which nothing is blocked; infinity without an end.
        only4: the table of IPv4 addresses, where only one holds: the usual case, worth a short cut.
        stages4: tables of IPv4 addresses.
        stages6: tables of IPv6 addresses.
        stages_of_names: tables of names.
    """

    __slots__ = (
        "blocks_from",
        "ends",
        "only4",
        "record",
        "stages4",
        "stages6",
        "stages_of_names",
    )

    def __init__(self, record: ServerRecord) -> None:
        self.record = record
        self.ends: float = inf if record.ends is None else record.ends
        if not record.active:
            self.ends = -inf
        self.blocks_from: float = inf if record.blocks_from is None else record.blocks_from
        self.only4: OfAddresses | None = None
        self.stages4: AddressStages = ()
        self.stages6: AddressStages = ()
        self.stages_of_names: NameStages = ()

    def prepare(self, stages4: AddressStages, stages6: AddressStages, names: NameStages) -> None:
        """Take note of the tables that hold."""
        self.stages4, self.stages6, self.stages_of_names = stages4, stages6, names
        self.only4 = stages4[0][0] if [len(tables) for tables in stages4] == [1] else None

    def address_tables(self, version: int) -> Iterator[OfAddresses]:
        """All tables of addresses of one version of IP."""
        return chain.from_iterable(self.stages4 if version == 4 else self.stages6)

    def name_tables(self) -> Iterator[OfNames]:
        """All tables of names."""
        return chain.from_iterable(self.stages_of_names)


@dataclass(frozen=True, slots=True)
class KeyState:
    """What a zone key opens.

    Attributes:
        server: the server whose key it is or was.
        revoked: whether it no longer counts.
    """

    server: ServerEntry
    revoked: bool


def decide_address(stages: AddressStages, address: int, now: float) -> Hit | None:
    """The listing that decides: of the first tier that covers the address, the most specific one.

    At equal specificity the first table has it: the server's beats the account's.
    """
    for tables in stages:
        best: Hit | None = None
        for table in tables:
            hit = table.find(address, now)
            if hit is not None and (best is None or hit.specificity > best.specificity):
                best = hit
        if best is not None:
            return best
    return None


def decide_name(stages: NameStages, name: str, now: float) -> Hit | None:
    """The same for a name."""
    for tables in stages:
        best: Hit | None = None
        for table in tables:
            hit = table.find(name, now)
            if hit is not None and (best is None or hit.specificity > best.specificity):
                best = hit
        if best is not None:
            return best
    return None
