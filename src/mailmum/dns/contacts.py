"""From lookups to contacts: one client that connects is asked about in several lists.

A mail server that is set up as we propose asks about an address in `wl` and then in `bl`: smtpd one
after the other, and `bl` no more once `wl` has allowed; postscreen both, always.  Were every lookup
a contact, most clients would count twice.  Whatever list is asked, the verdict is the same, so

- a contact that is allowed counts where it was looked up in `wl`,
- any other where it was looked up in `bl`,

which is once for each contact, whatever the order, the process and the thread that answered.  A
server that asks one list only would have some of its contacts missed by that: so a verdict also
counts in the other list, unless the server has asked the list where it belongs within the hour.

Names in `dbl` and `dwl` likewise.  They are looked up beside the address, up to three of one client
(name, reverse name, HELO), and nothing tells which belong together: so lookups of names are told
beside contacts and are never added to them.

What lookups cannot tell: while a resolver keeps an answer, the same client is not asked about
again; and a resolver that minimises names (RFC 9156) asks about `example` before
`mail.example`, and no further when nothing is listed there.

    >>> client = (4, 0xCB007107)
    >>> both = [ClientCount(7, list_, client, "block", False, 2) for list_ in ("wl", "bl")]
    >>> contacts = Contacts()
    >>> contacts.note([(7, "wl"), (7, "bl")], now=0.0)
    >>> [one.list for one in contacts.of(both, now=0.0)]
    ['bl']
"""

from collections.abc import Iterable, Iterator

from mailmum.dns.counters import ClientCount

HABIT = 3600.0
"""Seconds for which a server that asked a list is taken to ask it about every client."""

SERVERS = 100_000
"""Most servers and lists that are remembered."""

_HOMES = {"bl": ("bl", "wl"), "wl": ("bl", "wl"), "dbl": ("dbl", "dwl"), "dwl": ("dbl", "dwl")}


class Contacts:
    """Picks the lookups that count; remembers which lists each server asks."""

    def __init__(self) -> None:
        self._asked: dict[tuple[int, str], float] = {}

    def note(self, asked: Iterable[tuple[int, str]], now: float) -> None:
        """Note that servers have asked lists; before `of` is given what was counted of it."""
        if len(self._asked) > SERVERS:
            self._asked.clear()
        self._asked |= dict.fromkeys(asked, now)

    def of(self, counts: Iterable[ClientCount], now: float) -> Iterator[ClientCount]:
        """Those of some counts that stand for contacts, or for names looked up.

        Args:
            counts: of any length; those of which nobody knows the client are left out.
            now: Unix time in seconds at its end.
        """
        for one in counts:
            if one.list not in _HOMES:
                continue
            home = _HOMES[one.list][one.verdict == "allow"]
            if one.subject is not None and (one.list == home or not self._asks(one, home, now)):
                yield one

    def _asks(self, one: ClientCount, home: str, now: float) -> bool:
        last = self._asked.get((one.server, home))
        return last is not None and now - last < HABIT
