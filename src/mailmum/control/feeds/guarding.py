"""The account's own servers are kept out of its feeds, whatever a list says.

Which entries these are depends on the account, and its servers may change.  So a feed remembers the
source's entries too, and what was kept out is decided anew when the servers have.  Nearly always
nothing has to be: then both are the same content, shared with everybody else.
"""

from collections.abc import Iterable
from hashlib import blake2b

from mailmum.control.accounts.access import system_access
from mailmum.control.accounts.models import Account
from mailmum.control.feeds.contents import SHELF, keep, targets_of
from mailmum.control.feeds.models import Content
from mailmum.control.servers.queries import own_servers
from mailmum.domain.clients import Subject
from mailmum.domain.guards import OwnServer
from mailmum.domain.targets import Target, all_around
from mailmum.index.entries import Builder, Entries


def guard_of(account: Account) -> tuple[list[OwnServer], str]:
    """The account's own servers, and a digest that tells when they have changed."""
    own = own_servers(system_access(account))
    addresses = [one.text for server in own for one in server.addresses]
    known = sorted([*addresses, *(one.text for server in own for one in server.hosts)])
    return own, blake2b("\n".join(known).encode(), digest_size=16).hexdigest()


def guarded(whole: Content, own: list[OwnServer]) -> tuple[Content, list[str]]:
    """The content without entries that cover one of these servers, and the texts of those."""
    hits = covering(SHELF.get(whole.pk, whole.digest), own)
    if not hits:
        return whole, []
    kept = Builder(target for target in targets_of(whole) if target not in hits)
    return keep(kept), sorted(target.text for target in hits)


def covering(entries: Entries | Builder, own: list[OwnServer]) -> set[Target]:
    """Those of the entries that cover one of these servers."""
    return {target for target in _around(own) if entries.holds(target)}


def _around(own: list[OwnServer]) -> Iterable[Target]:
    """All targets that would cover one of these servers."""
    for server in own:
        known_by: tuple[Subject, ...] = (*server.addresses, *server.hosts)
        for subject in known_by:
            yield from all_around(subject.target)
