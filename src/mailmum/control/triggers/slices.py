"""The clients of an account, cut into slices of about as many counts: each a stretch of addresses.

A rule decides about one address or one network whatever all others do, so slices can be looked at
one by one, in any order, and by several processes.  They are cut where no group is: not within a
/24, nor within a /48 of IPv6, but for ::/48, where IPv4 lies and nobody else.  How many there are
follows from how much is kept and from the rule, never from the machine: on any of them the outcome
is the same.

    >>> from mailmum.traffic.packing import client_text, pack_client
    >>> slices = cut([pack_client(f"198.51.{third}.7") for third in range(100)], (25, 50))
    >>> [client_text(one[0]) for one in slices][2:4]
    ['198.51.25.0', '198.51.50.0']
"""

from collections.abc import Iterable, Sequence

from django.db.models import Q

from mailmum.control.traffic.models import ClientHour
from mailmum.traffic.packing import MAPPED
from mailmum.traffic.periods import HOUR
from mailmum.triggers.rules import Group

Slice = tuple[bytes, bytes]
"""The lowest and the highest client of it."""
LENGTHS = {Group.ADDRESS: (16, 16), Group.NETWORK: (15, 8), Group.WIDE: (15, 6)}
"""By how many bytes of a client, IPv4 and IPv6, a group is known."""
_LOWEST, _HIGHEST = bytes(16), b"\xff" * 16
_FIRST, _LAST = MAPPED + bytes(4), MAPPED + b"\xff\xff\xff\xff"
IPV4 = Q(client__gte=_FIRST, client__lte=_LAST)
_HOURS_LOOKED_AT = 6


def stretch(periods: Iterable[int], within: Slice) -> Q:
    """The condition on counts to be of these hours or days and of a slice."""
    return Q(start__in=list(periods), client__gte=within[0], client__lte=within[1])


def is_ipv4(within: Slice) -> bool:
    """Whether a slice is of IPv4: none is of both."""
    return within[0][:12] == MAPPED


def cut(clients: Sequence[bytes], places: Iterable[int]) -> list[Slice]:
    """Cut all addresses before the clients at some places, and where IPv4 begins and ends."""
    edges = {_FIRST, _next(_LAST)}
    for client in map(clients.__getitem__, places):
        edges.add(client[:15] + b"\0" if client[:12] == MAPPED else client[:6] + bytes(10))
    edges.discard(_LOWEST)
    starts = sorted(edges)
    ends = [(int.from_bytes(one) - 1).to_bytes(16) for one in starts]
    return list(zip([_LOWEST, *starts], [*ends, _HIGHEST], strict=True))


def divided(clients: Sequence[bytes], first: float, pairs: int) -> list[list[Slice]]:
    """Two shares of the addresses, or one where all are in the same network.

    Args:
        clients: some of them, in order.
        first: how much of them is the first share.
        pairs: about how many slices each has.
    """
    middle, end = int(len(clients) * first), len(clients)
    parts = ((0, middle), (middle, end))
    places = {low + (high - low) * one // pairs for low, high in parts for one in range(pairs)}
    slices, client = cut(clients, places), clients[middle]
    shares = [one for one in slices if one[1] < client], [one for one in slices if one[1] >= client]
    return [one for one in shares if one]


def looked_at(account: int, since: int, until: int) -> tuple[list[bytes], int]:
    """Clients of a few hours from one to before another, and about how many counts there are."""
    kept = ClientHour.objects.filter(account=account, start__gte=since, start__lt=until)
    earliest = kept.order_by("start").values_list("start", flat=True).first()
    if earliest is None:
        return [], 0
    hours = (until - earliest) // HOUR
    apart = hours // _HOURS_LOOKED_AT
    # Not always at the same time of day.
    apart = apart // 24 * 24 + 24 // _HOURS_LOOKED_AT if apart >= 24 else apart
    some = {earliest + part * apart * HOUR for part in range(_HOURS_LOOKED_AT)}
    rows = ClientHour.objects.filter(account=account, start__in=some)
    clients = sorted(bytes(one) for one in rows.values_list("client", flat=True).iterator())
    return clients, len(clients) * hours // len(some)


def _next(client: bytes) -> bytes:
    return (int.from_bytes(client) + 1).to_bytes(16)
