"""Asks a resolver for A records, several names at once, and says plainly what came of each.

dnspython does the work.  Waiting is bounded; no answer in time is a fault of that name alone.

Threads ask, and they are daemon threads of our own: a process that is told to end would wait for
those of a pool until every name that is queued there has been asked, and a dead list takes seconds
for each.
"""

import queue
import threading
from collections.abc import Iterable
from contextlib import suppress

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from mailmum.dns.witness import Reply

TIMEOUT = 4.0
AT_ONCE = 8


def resolver(place: str = "") -> dns.resolver.Resolver:
    """The resolver of this machine, or the one at `host:port`."""
    made = dns.resolver.Resolver(configure=not place)
    if place:
        host, _, port = place.rpartition(":")
        made.nameservers, made.port = [host.strip("[]")], int(port)
    made.cache = None
    made.use_search_by_default = False
    made.lifetime = TIMEOUT
    return made


def ask(names: Iterable[str], place: str = "") -> dict[str, Reply]:
    """The A records of some names.

    Args:
        names: absolute names without a dot at the end.
        place: `host:port` of the resolver; empty for that of this machine.
    """
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    asked = resolver(place)
    left: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in wanted:
        left.put(name)
    found: dict[str, Reply] = {}

    def work() -> None:
        with suppress(queue.Empty):
            while True:
                name = left.get_nowait()
                found[name] = _one(asked, name)

    count = min(AT_ONCE, len(wanted))
    threads = [threading.Thread(target=work, name="resolving", daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {name: found[name] for name in wanted}


def _one(asked: dns.resolver.Resolver, name: str) -> Reply:
    try:
        answer = asked.resolve(
            dns.name.from_text(name), "A", lifetime=TIMEOUT, raise_on_no_answer=False
        )
    except dns.resolver.NXDOMAIN:
        return Reply()
    except dns.resolver.LifetimeTimeout:
        return Reply(fault="no answer in time")
    except dns.resolver.NoNameservers:
        return Reply(fault="the resolver has no answer (SERVFAIL)")
    except (dns.exception.DNSException, OSError) as error:
        return Reply(fault=f"it cannot be asked: {type(error).__name__}")
    if answer.rrset is None:
        return Reply()
    return Reply(tuple(sorted(item.to_text() for item in answer.rrset)), int(answer.rrset.ttl))
