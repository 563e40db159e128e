"""What an address is called by reverse lookup (RFC 1035 section 3.5).

Mail servers look the name up and verify it when a client connects, so what they wrote is taken
first.  Only of an address that none of them named lately the DNS is asked, within a second: a name
is worth knowing, but nobody waits for it, and without an answer it is left out.

Whoever has the address writes what its reverse name is: only what can be a host name is shown, and
only the first few.  Of an address that nobody has in the Internet (RFC 6890) nobody else is asked.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address

import dns.exception
from dns.rdtypes.ANY.PTR import PTR

from mailmum.control.feeds.spf import resolver
from mailmum.control.monitor.checked import Named
from mailmum.daemons.outgoing import Unreached
from mailmum.domain.targets import NetworkTarget, Target

PATIENCE = 1.0
"""Seconds."""
MOST = 3
_HOST = re.compile(r"[0-9a-z_-]{1,63}(?:\.[0-9a-z_-]{1,63}){1,126}", re.ASCII)


def reverse_of(target: Target, names: Iterable[Named], *, asks: bool) -> tuple[str, ...]:
    """The reverse names of a single address; none of anything else.

    Args:
        target: what is checked.
        names: under which names mail servers saw it, those seen most first.
        asks: whether the DNS may be asked where they say nothing.
    """
    if not isinstance(target, NetworkTarget) or target.prefix < target.bits:
        return ()
    verified = tuple(one.name for one in names if one.verified)[:MOST]
    return verified or (_asked(target.text) if asks else ())


def _asked(address: str) -> tuple[str, ...]:
    if not ip_address(address).is_global:
        return ()
    try:
        by = resolver()
        by.cache = None
        found = by.resolve_address(address, lifetime=PATIENCE, raise_on_no_answer=False)
    except (Unreached, dns.exception.DNSException, OSError):
        return ()
    texts = (one.target.to_text(omit_final_dot=True) for one in found if isinstance(one, PTR))
    names = {text.lower() for text in texts}
    return tuple(sorted(name for name in names if len(name) < 254 and _HOST.fullmatch(name))[:MOST])
