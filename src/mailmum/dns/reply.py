"""What is answered to a query and counted about it, before it is written; and where zones begin."""

from dataclasses import dataclass

from mailmum.dns import wire
from mailmum.dns.counters import Client
from mailmum.dns.zones import Zone

_NS_TTL = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer, and what to count.

    Attributes:
        rcode: the return code.
        answers: whole records.
        authority: whole records.
        extended: an extended error code (RFC 8914), or None.
        fault: a word to count the query under, or empty.
        verdict: server, list, client and code of the verdict, as `Counters.count` takes them.
        revoked: server and revoked key, to be counted.
        barred: the server that may not be asked from there, to be counted.
        spared: whether the sender is one that the server names: no limit holds for him.
    """

    rcode: int
    answers: tuple[bytes, ...] = ()
    authority: tuple[bytes, ...] = ()
    extended: int | None = None
    fault: str = ""
    verdict: tuple[int, str, Client, int] | None = None
    revoked: tuple[int, str] | None = None
    barred: int | None = None
    spared: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """One zone as a query names it.

    Attributes:
        zone: the fixed parts.
        serial: of its SOA.
        ttl: of its records and negative answers, in seconds.
        base_at: where BASE begins in the packet.
        at: where this zone begins.
    """

    zone: Zone
    serial: int
    ttl: int
    base_at: int
    at: int

    def soa(self, ttl: int | None = None) -> bytes:
        """The SOA record; `ttl` is how long a negative answer holds, if that is known."""
        short = self.ttl if ttl is None else min(ttl, self.ttl)
        return self.zone.soa(wire.pointer(self.at), self.base_at, self.serial, short, self.ttl)

    def ns(self) -> tuple[bytes, ...]:
        """The NS records; those of a key's zone may be kept only for a moment.

        A resolver that is pointed at BASE on another port than 53 (unbound's stub-zone) and is
        asked for the NS of a zone below goes by these records until they expire, and finds nobody
        at port 53.  Mail servers never ask for them.
        """
        ttl = self.ttl if self.at == self.base_at else min(self.ttl, _NS_TTL)
        return self.zone.ns(wire.pointer(self.at), self.base_at, ttl)

    def nodata(self) -> Reply:
        """The name exists, but has no record of this type."""
        return Reply(wire.NOERROR, authority=(self.soa(),))

    def apex(self, type_: int) -> Reply:
        """What the name of the zone itself has; one RRset is enough for ANY (RFC 8482)."""
        if type_ in (wire.SOA, wire.ANY):
            return Reply(wire.NOERROR, (self.soa(),))
        if type_ == wire.NS:
            return Reply(wire.NOERROR, self.ns())
        return self.nodata()
