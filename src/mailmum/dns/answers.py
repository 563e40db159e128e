"""What the zones answer: one well-formed query in, one reply out.

Below BASE there are names of these sorts, each of them decided here:

- BASE itself and `KEY.LIST.BASE` are zones with SOA and NS.  DS is asked of the zone above (RFC
  4035 section 3.1.4.1), so for a key's zone it is answered from BASE.
- `LIST.BASE` has no records but names below: NOERROR without an answer (RFC 8020).
- Names of the name servers, where they lie below BASE.
- A server that tells who may ask about it is refused to everybody else, and that is counted.
- An unknown key is a name that does not exist, a revoked one too; the latter's use is counted so
  that its owner sees which mail server still has it.
- What is listed in a key's zone is found by `entries`.

Negative answers carry the SOA of the zone that they are from, with a TTL no longer than the zone's
minimum (RFC 2308 section 3), nor than the listing that keeps the client off this list.

Until there is an index, every name below BASE is answered with SERVFAIL: mail servers then skip the
list, and no resolver keeps a wrong "not listed" or "no such key".
"""

from dataclasses import replace

from mailmum.dns import wire
from mailmum.dns.entries import KeyZone
from mailmum.dns.reply import Place, Reply
from mailmum.dns.wire import Query
from mailmum.dns.zones import KINDS, Zone
from mailmum.index.index import Index

# Extended errors (RFC 8914 section 4).
EDE_NOT_READY, EDE_PROHIBITED, EDE_NOT_AUTHORITATIVE, EDE_NOT_SUPPORTED = 14, 18, 20, 21

_META = {
    wire.OPT: wire.FORMERR,
    wire.TKEY: wire.NOTIMP,
    wire.TSIG: wire.NOTIMP,
    wire.MAILA: wire.NOTIMP,
    wire.MAILB: wire.NOTIMP,
}


def decide(zone: Zone, query: Query, index: Index | None, now: float, sender: bytes = b"") -> Reply:
    """The reply to a query.

    Args:
        zone: the zones served.
        query: the query.
        index: the listings; None while there are none yet.
        now: Unix time in seconds.
        sender: packed address of who asks; empty when that is not known.
    """
    if query.klass != wire.CLASS_IN:
        return _refused(EDE_NOT_SUPPORTED)
    if query.type in _META:
        rcode = _META[query.type]
        fault = "formerr" if rcode == wire.FORMERR else "notimp"
        return Reply(rcode, extended=EDE_NOT_SUPPORTED, fault=fault)
    labels = tuple(label.lower() for label in query.labels)
    depth = len(zone.base)
    if labels[-depth:] != zone.base:
        return _refused(EDE_NOT_AUTHORITATIVE)
    if query.type in (wire.AXFR, wire.IXFR):
        return _refused(EDE_PROHIBITED)
    if index is None:
        return Reply(wire.SERVFAIL, extended=EDE_NOT_READY, fault="not-ready")
    at = query.at(depth)
    base = Place(zone, index.position, zone.ttl, at, at)
    return _below_base(base, query, labels[:-depth], index, now, sender)


def _refused(extended: int) -> Reply:
    return Reply(wire.REFUSED, extended=extended, fault="refused")


def _below_base(
    base: Place,
    query: Query,
    labels: tuple[bytes, ...],
    index: Index,
    now: float,
    sender: bytes,
) -> Reply:
    kind = KINDS.get(labels[-1]) if labels else None
    if kind is None:
        return _base_name(base, query.type, labels)
    if len(labels) == 1:
        return base.nodata()
    state = index.key(labels[-2], now)
    if state is None:
        return Reply(wire.NXDOMAIN, authority=(base.soa(),), fault="unknown-key")
    if state.revoked:
        revoked = (state.server.record.id, labels[-2].decode("ascii"))
        return Reply(wire.NXDOMAIN, authority=(base.soa(),), revoked=revoked)
    at = query.at(len(base.zone.base) + 2)
    place = Place(base.zone, base.serial, state.server.record.ttl, base.base_at, at)
    zone = KeyZone(place, kind, state.server, index, now)
    return _of_server(base, query, zone, labels[:-2], sender)


def _of_server(
    base: Place, query: Query, zone: KeyZone, labels: tuple[bytes, ...], sender: bytes
) -> Reply:
    """What a key's zone has at the name of these labels, for who may ask."""
    record = zone.server.record
    if not record.may_be_asked_by(sender):
        return replace(_refused(EDE_PROHIBITED), fault="barred", barred=record.id)
    if labels:
        reply = zone.reply(query.type, labels)
    else:
        reply = base.nodata() if query.type == wire.DS else zone.place.apex(query.type)
    return replace(reply, spared=True) if record.askers else reply


def _base_name(base: Place, type_: int, labels: tuple[bytes, ...]) -> Reply:
    """BASE itself, a name server's name, or a name that does not exist."""
    if not labels:
        return base.apex(type_)
    host = base.zone.hosts.get(labels)
    if host is None:
        if labels in base.zone.above_hosts:
            return base.nodata()
        return Reply(wire.NXDOMAIN, authority=(base.soa(),))
    if type_ == wire.ANY:
        type_ = wire.A if host.v4 else wire.AAAA
    addresses = {wire.A: host.v4, wire.AAAA: host.v6}.get(type_, ())
    found = tuple(wire.answer(type_, base.ttl, data) for data in addresses)
    return Reply(wire.NOERROR, found) if found else base.nodata()
