"""What may be read of an account's requests."""

from typing import Any

from django.db.models import Count, QuerySet

from mailmum.control.accounts.access import Reading
from mailmum.control.journal.moments import moment
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import Explained, explain
from mailmum.control.prepared import Prepared
from mailmum.control.requests.models import RemovalRequest, State
from mailmum.control.servers.models import Server
from mailmum.domain.clients import parse_subject
from mailmum.domain.errors import NotFound
from mailmum.domain.listings import Action


def requests_of(reading: Reading, *, answered: bool | None = False) -> QuerySet[RemovalRequest]:
    """The requests of an account, newest first: open ones, answered ones (True), or all (None)."""
    found = RemovalRequest.objects.filter(account=reading.account)
    if answered is not None:
        is_open = {"state": State.OPEN}
        found = found.exclude(**is_open) if answered else found.filter(**is_open)
    return found.order_by("-pk")


def count_open(reading: Reading) -> int:
    """How many wait for an answer."""
    return sum(count for _, count in _OPEN.rows(reading.account.pk))


_OPEN = Prepared(
    lambda account: (
        RemovalRequest.objects.filter(account=account, state=State.OPEN)
        .values_list("account")
        .annotate(count=Count("pk"))
        .order_by()
    )
)


def find_request(reading: Reading, number: int) -> RemovalRequest:
    """One request.

    Raises:
        NotFound: the account has none of this number.
    """
    # Beyond 63 bits the database would raise instead of finding nothing.
    found = requests_of(reading, answered=None).filter(pk=min(number, 2**62)).first()
    if found is None:
        raise NotFound(f"there is no request {number}")
    return found


def server_of(reading: Reading, request: RemovalRequest) -> Server:
    """The server that refused.

    Raises:
        NotFound: it has been removed.
    """
    found = Server.objects.filter(account=reading.account, pk=request.server, removed=None).first()
    if found is None:
        raise NotFound(
            "the server that refused has been removed", fix="answer for all servers, or decline"
        )
    return found


def explained(reading: Reading, request: RemovalRequest) -> Explained:
    """The verdict on its client now, at the server that refused it; if that is gone, at any."""
    try:
        server: Server | None = server_of(reading, request)
    except NotFound:
        server = None
    return explain(reading, parse_subject(request.client), server)


def blocking(reading: Reading, request: RemovalRequest) -> Version | None:
    """The listing that blocks its client there, or would if blocking were not paused."""
    found = explained(reading, request)
    first = found.overruled[0] if found.paused is not None else found.because
    return first if first is not None and first.action == Action.BLOCK else None


def as_dict(request: RemovalRequest, servers: dict[int, str]) -> dict[str, Any]:
    """A request as API and command line show it; the token stays with whoever asked."""
    return {
        "id": request.pk,
        "state": request.state,
        "server": servers.get(request.server, ""),
        "client": request.client,
        "text": request.text,
        "reply_to": request.reply_to,
        "from": request.address,
        "created": moment(request.created),
        "answered": moment(request.answered),
        "answered_by": request.answered_by,
        "answer": request.answer,
        "change": request.change,
    }
