"""Where the DNS daemons' counts go: one row a server, one a revoked key."""

import time
from collections import defaultdict
from collections.abc import Iterable

from django.db import DatabaseError, connections, transaction

from mailmum.control.traffic.models import RevokedUse, ServerUse
from mailmum.control.traffic.router import traffic_database
from mailmum.daemons.counts import Parcel
from mailmum.dns.counters import VerdictCount
from mailmum.index.records import SourceUnavailable

_SERVER = f"""
    INSERT INTO "{ServerUse._meta.db_table}" (server, queries, blocked, allowed, last)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (server) DO UPDATE SET
        queries = "{ServerUse._meta.db_table}".queries + excluded.queries,
        blocked = "{ServerUse._meta.db_table}".blocked + excluded.blocked,
        allowed = "{ServerUse._meta.db_table}".allowed + excluded.allowed,
        last = excluded.last
"""  # noqa: S608 (the name of our own table)
_REVOKED = f"""
    INSERT INTO "{RevokedUse._meta.db_table}" (key, server, queries, last)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (key) DO UPDATE SET
        queries = "{RevokedUse._meta.db_table}".queries + excluded.queries,
        last = excluded.last
"""  # noqa: S608 (the name of our own table)


def keep_counts(parcel: Parcel) -> None:
    """Add what was counted to what is kept, all of it or nothing.

    Raises:
        SourceUnavailable: the database cannot be written just now; it may be given again.
    """
    batch = parcel.taken.batch
    now = int(time.time())
    alias = traffic_database()
    servers = [(number, *sums, now) for number, sums in _by_server(batch.verdicts)]
    revoked = [(use.key, use.server, use.count, now) for use in batch.revoked]
    try:
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.executemany(_SERVER, servers)
            cursor.executemany(_REVOKED, revoked)
    except DatabaseError as error:
        connections[alias].close()
        raise SourceUnavailable(str(error)) from error


def _by_server(verdicts: Iterable[VerdictCount]) -> Iterable[tuple[int, tuple[int, int, int]]]:
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for verdict in verdicts:
        sums[verdict.server][0] += verdict.count
        if verdict.verdict != "none":
            sums[verdict.server][1 if verdict.verdict == "block" else 2] += verdict.count
    # In one order everywhere: two daemons that add to the same rows cannot wait for each other.
    return ((number, (q, b, a)) for number, (q, b, a) in sorted(sums.items()))
