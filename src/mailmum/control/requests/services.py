"""Answering a request: allow the client, remove the block, or decline.

The change of listings and the answer are kept together.  An allow or a removal is a change of the
journal like any other, and can be undone there; declining is a record of its own.  What was
answered can be answered anew: an administrator may think again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.db import transaction

from mailmum.control.accounts.access import Writing
from mailmum.control.journal.services import change, take_writer_lock
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.services import Result, list_targets, remove_listings
from mailmum.control.requests.models import ANSWER_LIMIT, RemovalRequest, State
from mailmum.control.requests.queries import blocking, find_request, server_of
from mailmum.domain.clients import AddressSubject, parse_subject
from mailmum.domain.errors import Conflict
from mailmum.domain.listings import Action
from mailmum.domain.texts import clean_text


class Answered(NamedTuple):
    """What an answer came to.

    Attributes:
        request: as it is now.
        change: number of the change, None when nothing had to be changed.
        still: a listing that blocks the client all the same; None when none does.
    """

    request: RemovalRequest
    change: int | None
    still: Version | None = None


def allow_client(
    access: Writing, number: int, *, everywhere: bool = False, lifetime: str | None = None
) -> Answered:
    """Allow the client of a request, at the server that refused it or everywhere.

    Raises:
        NotFound: no such request, or its server has been removed.
        BadInput: the lifetime is not understood.
    """
    with _answering(access, number) as request:
        server = None if everywhere else server_of(access, request).name
        wish = make_wish(
            Action.ALLOW, now=time.time(), note=_note(request), lifetime=lifetime or None
        )
        result = list_targets(access, [target_of(request)], wish, server=server, confirmed=True)
        return _settle(access, request, State.ALLOWED, result.change)


def unlist_client(access: Writing, number: int) -> Answered:
    """Remove the listing that blocks the client of a request.

    Raises:
        NotFound: no such request, or its server has been removed.
        Conflict: nothing blocks it any more.
    """
    with _answering(access, number) as request:
        because = blocking(access, request)
        if because is None:
            raise Conflict(
                f"no listing blocks {request.client} there any more",
                fix="decline the request and say so",
            )
        result: Result = remove_listings(access, [because.number])
        return _settle(access, request, State.UNLISTED, result.change)


def decline(access: Writing, number: int, answer: str = "") -> Answered:
    """Leave things as they are; who asked reads the answer.

    Raises:
        NotFound: no such request.
        BadInput: the answer is too long or not plain.
    """
    said = clean_text(answer, field="answer", limit=ANSWER_LIMIT)
    with _answering(access, number) as request:
        before = {"state": request.state}
        with change(access.account.pk, access.actor, "request.decline") as made:
            made.server = request.server
            made.summary = f"request {request.pk} about {request.client}"
            made.before, made.after = before, {"state": State.DECLINED.value, "answer": said}
        request.answer = said
        return _settle(access, request, State.DECLINED, made.seq)


def target_of(request: RemovalRequest) -> str:
    """The client as a target."""
    subject = parse_subject(request.client)
    return subject.text if isinstance(subject, AddressSubject) else subject.name


@contextmanager
def _answering(access: Writing, number: int) -> Iterator[RemovalRequest]:
    """One transaction, in which nobody else answers the same request."""
    with transaction.atomic():
        take_writer_lock()
        yield find_request(access, number)


def _settle(access: Writing, request: RemovalRequest, state: State, made: int | None) -> Answered:
    if state is not State.DECLINED:
        request.answer = ""
    request.state = state
    request.answered, request.answered_by = int(time.time()), access.actor.name
    request.change = made
    request.save()
    still = None
    if state is not State.DECLINED:
        still = blocking(access, request)
    return Answered(request, made, still)


def _note(request: RemovalRequest) -> str:
    return f"removal request {request.pk}"
