"""Where the daemons' counts go: uses of servers and keys, sightings, hits, tallies.

A parcel is kept in one transaction of the traffic database, with its number: one that comes again,
because the daemon was never told that it was kept, changes nothing.  What is written first is
what others write too, in one order everywhere, so that two daemons never wait for each other.
"""

import socket
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    DataError,
    IntegrityError,
    connections,
    transaction,
)

from mailmum.control.servers.models import Server
from mailmum.control.traffic import tallies
from mailmum.control.traffic.intake import Lookup, keep, keep_lookups
from mailmum.control.traffic.models import (
    BarredUse,
    ListUse,
    Process,
    RevokedUse,
    ServerUse,
)
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.tallies import Hits
from mailmum.control.traffic.writing import upsert
from mailmum.daemons.counts import Parcel, Report, Seen
from mailmum.daemons.descriptors import with_cause
from mailmum.dns.contacts import Contacts
from mailmum.dns.counters import ClientCount, CountBatch, Subject, VerdictCount
from mailmum.domain.targets import address_text
from mailmum.index.records import SourceUnavailable
from mailmum.traffic.sightings import Outcome, Sighting, Source, Update

POLICY = "policy"
_OUTCOMES = {"none": Outcome.UNLISTED, "block": Outcome.LISTED, "allow": Outcome.ALLOWED}
_ADDED = "{table}.%s + excluded.%s"
_KNOWN_SERVERS = 100_000
_LEFT_BEHIND = 3600
# As many parameters as any SQLite takes in one statement.
_AT_ONCE = 900


class _Found(NamedTuple):
    sightings: Sequence[Sighting]
    updates: Sequence[Update] = ()


class TrafficSink:
    """Keeps what a daemon hands over; made once for each process."""

    def __init__(self) -> None:
        self._contacts = Contacts()
        # An account keeps its servers for ever, so this never changes.
        self._accounts: dict[int, int] = {}
        self._host = socket.gethostname()[:255]

    def __call__(self, parcel: Parcel) -> None:
        """Keep a parcel, all of it or nothing, and never twice.

        Raises:
            SourceUnavailable: the database cannot be written just now; it may be given again.
        """
        alias = traffic_database()
        try:
            accounts = self._accounts_of(_servers(parcel))
            with transaction.atomic(using=alias):
                if self._claim(parcel):
                    self._keep(parcel, accounts)
        except (DataError, IntegrityError):
            # What is wrong with the parcel itself would be wrong again.
            raise
        except (DatabaseError, SourceUnavailable) as error:
            for one in (connections[alias], connections[DEFAULT_DB_ALIAS]):
                if not one.in_atomic_block:
                    one.close()
            raise SourceUnavailable(with_cause(str(error))) from error

    def _claim(self, parcel: Parcel) -> bool:
        """Note how the process stands and what it has handed over; False when that is known."""
        report, now = parcel.report, int(time.time())
        kept = Process.objects.filter(process=report.process)
        number = kept.values_list("number", flat=True).first()
        if number is not None and number >= parcel.number:
            return False
        if number is None:
            left = Process.objects.filter(part=report.part, host=self._host)
            left.filter(seen__lt=now - _LEFT_BEHIND).delete()
            Process.objects.filter(seen__lt=now - tallies.FORGET).delete()
        self._describe(parcel.number, report, now).save(force_insert=number is None)
        return True

    def _describe(self, number: int, report: Report, now: int) -> Process:
        return Process(
            process=report.process,
            part=report.part,
            host=self._host,
            number=number,
            seen=now,
            started=int(report.started),
            position=report.position,
            away=_whole(report.away),
            saved=_whole(report.saved),
            ended=report.ended,
        )

    def _keep(self, parcel: Parcel, accounts: Mapping[int, int]) -> None:
        batch, now = parcel.taken.batch, int(parcel.time)
        verdicts = batch.verdicts
        _add_uses(verdicts, batch, now)
        tallies.add(_tallies(parcel, verdicts, accounts), now)
        self._contacts.note(((one.server, one.list) for one in verdicts), parcel.time)
        known = (one for one in batch.clients if one.server in accounts)
        lookups, hits = [], []
        for one in self._contacts.of(known, parcel.time):
            lookups.append(_lookup(one, accounts, parcel.time))
            if one.verdict == "block":
                hits.append(_hit(one, Source.DNS, accounts))
        if any(one.list == POLICY for one in verdicts):
            hits += _hits_of_requests(batch, accounts)
        tallies.add_hits(hits)
        if lookups:
            keep_lookups(Source.DNS, lookups)
        for server, sightings in _by_server(parcel.taken.sightings):
            if server in accounts:
                keep(accounts[server], server, Source.POLICY, _Found(sightings))

    def _accounts_of(self, servers: Collection[int]) -> Mapping[int, int]:
        """The account of each server; those that are not in the database are missing."""
        if unknown := [number for number in servers if number not in self._accounts]:
            if len(self._accounts) > _KNOWN_SERVERS:
                self._accounts.clear()
            for at in range(0, len(unknown), _AT_ONCE):
                found = Server.objects.filter(pk__in=unknown[at : at + _AT_ONCE])
                self._accounts.update(found.values_list("pk", "account_id"))
        return self._accounts


def _servers(parcel: Parcel) -> set[int]:
    counted = {one.server for one in parcel.taken.batch.verdicts}
    return counted | {one.server for one in parcel.taken.sightings}


def _add_uses(verdicts: Iterable[VerdictCount], batch: CountBatch, now: int) -> None:
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for verdict in verdicts:
        sums[verdict.server][0] += verdict.count
        if verdict.verdict != "none":
            sums[verdict.server][1 if verdict.verdict == "block" else 2] += verdict.count
    added = {name: _ADDED % (name, name) for name in ("queries", "blocked", "allowed")}
    last = {"last": "excluded.last"}
    uses = [(number, *counts, now) for number, counts in sorted(sums.items())]
    upsert(ServerUse, uses, added | last)
    lists: Counter[tuple[int, str]] = Counter()
    for verdict in verdicts:
        lists[verdict.server, verdict.list] += verdict.count
    asked = [(*key, count, now) for key, count in sorted(lists.items())]
    upsert(ListUse, asked, {"queries": added["queries"]} | last)
    revoked = sorted((use.key, use.server, use.count, now) for use in batch.revoked)
    upsert(RevokedUse, revoked, {"queries": added["queries"]} | last)
    barred = sorted((one.server, one.count, one.sender[:45], now) for one in batch.barred)
    sender = {"sender": "excluded.sender"}
    upsert(BarredUse, barred, {"queries": added["queries"]} | sender | last)


def _tallies(
    parcel: Parcel, verdicts: Iterable[VerdictCount], accounts: Mapping[int, int]
) -> Mapping[str, int]:
    batch, part = parcel.taken.batch, parcel.report.part
    sums: Counter[str] = Counter()
    for one in verdicts:
        sums[f"queries/{one.list}/{one.verdict}"] += one.count
        if one.server not in accounts:
            sums["lost/server-unknown"] += one.count
    sums["queries/revoked"] += sum(use.count for use in batch.revoked)
    for kind, count in batch.faults:
        sums[f"faults/{part}/{kind}"[:100]] += count
    sums["lost/verdicts"] += batch.lost
    # The policy service's sightings have their clients all the same.
    sums["lost/clients"] += 0 if part == POLICY else batch.nameless
    sums["lost/sightings"] += parcel.taken.dropped
    sums["lost/not-kept"] += parcel.given_up
    return sums


def _hits_of_requests(batch: CountBatch, accounts: Mapping[int, int]) -> Iterator[Hits]:
    for one in batch.clients:
        if one.list == POLICY and one.verdict == "block" and one.server in accounts:
            yield _hit(one, Source.POLICY, accounts)


def _hit(one: ClientCount, source: Source, accounts: Mapping[int, int]) -> Hits:
    target = _target(one.subject, wide=one.wide)
    return Hits(accounts[one.server], one.server, source, target, one.count)


def _target(subject: Subject | None, *, wide: bool) -> str:
    """What sort of target decided about a client."""
    if isinstance(subject, str):
        return "domain" if wide else "host"
    return "network" if wide else "address"


def _lookup(one: ClientCount, accounts: Mapping[int, int], at: float) -> Lookup:
    subject = one.subject if isinstance(one.subject, str) else address_text(*one.subject or (4, 0))
    outcome = _OUTCOMES[one.verdict]
    return Lookup(accounts[one.server], one.server, at, subject, outcome, one.count)


def _by_server(sightings: Iterable[Seen]) -> list[tuple[int, list[Sighting]]]:
    found: dict[int, list[Sighting]] = defaultdict(list)
    for seen in sightings:
        found[seen.server].append(seen.sighting)
    return sorted(found.items())


def _whole(moment: float | None) -> int | None:
    return None if moment is None else int(moment)
