"""Asking for removal: what the public page takes from strangers, within bounds.

Whoever asks proves nothing, so what is taken is small and little: some requests for each address
and account, one open at a time for each client of a server.  The journal is not touched before an
administrator answers, so strangers can neither fill it nor move the daemons.
"""

import ipaddress
import secrets
import time
from dataclasses import dataclass

from django.db import transaction

from mailmum.control.accounts.access import system_access
from mailmum.control.accounts.services import clean_email
from mailmum.control.journal.services import take_writer_lock
from mailmum.control.listings.public import explain_publicly
from mailmum.control.requests.models import REPLY_LIMIT, TEXT_LIMIT, RemovalRequest, State
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import find_by_ref, keys_of_account
from mailmum.domain.errors import BadInput, Conflict, NotFound
from mailmum.domain.public import without_key
from mailmum.domain.texts import clean_line, clean_text

HOUR, DAY = 3600, 86_400
ADDRESS_HOURLY, ADDRESS_DAILY = 3, 10
ACCOUNT_DAILY, ACCOUNT_OPEN, ACCOUNT_KEPT = 100, 200, 1000


@dataclass(frozen=True, slots=True)
class Told:
    """What is told about a request to whoever has its token.

    Attributes:
        client: whom it is about.
        created: when it was made, Unix time.
        state: what became of it.
        answered: when, Unix time; None while it is open.
        answer: what the administrator says to it.
    """

    client: str
    created: int
    state: State
    answered: int | None
    answer: str


def takes_requests(ref: str) -> bool:
    """Whether the account of a server takes requests at all."""
    server = find_by_ref(ref)
    return server is not None and server.account.takes_requests


def ask(
    ref: str, client: str, *, text: str, reply_to: str, address: str, now: float | None = None
) -> str:
    """Take a request; the token under which its answer is found.

    Args:
        ref: public reference of the server.
        client: whom the server refuses.
        text: what the sender says.
        reply_to: e-mail address for an answer, may be empty.
        address: of whoever asks.
        now: our own clock.

    Raises:
        NotFound: no server has this reference, or its account takes no requests.
        BadInput: the text is empty, too long or not plain; or the address is none.
        Conflict: the client is not refused, has an open request, or there have been too many.
    """
    clock = int(time.time() if now is None else now)
    server = find_by_ref(ref)
    if server is None or not server.account.takes_requests:
        raise NotFound("there is nothing to ask for at this address")
    answer = explain_publicly(ref, client)
    if not answer.blocked:
        raise Conflict(f"{answer.client} is not refused here", fix="send the mail again")
    said = clean_text(text, field="text", limit=TEXT_LIMIT)
    if not said:
        raise BadInput(
            "nothing is said", fix="tell what was wrong and how you mended it", field="text"
        )
    back = clean_line(reply_to, field="reply_to", limit=REPLY_LIMIT)
    if back:
        _check_email(back)
    group = grouped(address)
    _refuse_too_many(group, server, clock)
    with transaction.atomic():
        take_writer_lock()
        _refuse_too_many(group, server, clock)
        _refuse_twice(server, answer.client)
        _make_room(server)
        made = RemovalRequest.objects.create(
            account=server.account,
            server=server.pk,
            client=answer.client,
            text=said,
            reply_to=back,
            address=group,
            created=clock,
            token=secrets.token_urlsafe(16),
        )
    return made.token


def told(ref: str, client: str, token: str) -> Told | None:
    """What became of a request, for whoever has its token; None for a wrong one."""
    server = find_by_ref(ref)
    if server is None or not token.isascii() or "\0" in token:
        return None
    found = RemovalRequest.objects.filter(server=server.pk, client=client, token=token).first()
    if found is None:
        return None
    answer = found.answer
    for key in keys_of_account(system_access(server.account)):
        answer = without_key(answer, key)
    return Told(found.client, found.created, State(found.state), found.answered, answer)


def grouped(address: str) -> str:
    """What an address is limited by: itself, of IPv6 its /64, since whoever has one has all of it.

    >>> grouped("203.0.113.7"), grouped("2001:db8::1:2"), grouped("::ffff:203.0.113.7")
    ('203.0.113.7', '2001:db8::/64', '203.0.113.7')
    >>> grouped("a socket")
    ''
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)


def _check_email(text: str) -> None:
    try:
        clean_email(text)
    except BadInput as refusal:
        raise BadInput(
            refusal.problem, fix="leave it out, or give one that works", field="reply_to"
        ) from None


def _refuse_too_many(group: str, server: Server, now: int) -> None:
    mine = RemovalRequest.objects.filter(address=group)
    ours = RemovalRequest.objects.filter(account=server.account)
    full = (
        mine.filter(created__gt=now - HOUR).count() >= ADDRESS_HOURLY
        or mine.filter(created__gt=now - DAY).count() >= ADDRESS_DAILY
        or ours.filter(created__gt=now - DAY).count() >= ACCOUNT_DAILY
        or ours.filter(state=State.OPEN).count() >= ACCOUNT_OPEN
    )
    if full:
        raise Conflict("there have been many requests", fix="try again tomorrow")


def _refuse_twice(server: Server, client: str) -> None:
    held = RemovalRequest.objects.filter(
        account=server.account, server=server.pk, client=client, state=State.OPEN
    )
    if held.exists():
        raise Conflict(
            f"somebody has asked about {client} already, and it has not been answered yet",
            fix="wait for the answer",
        )


def _make_room(server: Server) -> None:
    """Forget the oldest answered ones beyond what is kept."""
    kept = RemovalRequest.objects.filter(account=server.account).exclude(state=State.OPEN)
    newest = kept.order_by("-pk").values_list("pk", flat=True)[ACCOUNT_KEPT - 1 : ACCOUNT_KEPT]
    for number in newest:
        kept.filter(pk__lt=number).delete()
