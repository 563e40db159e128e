"""What views answer with: a page in its place, a word about what was done, a way back."""

import logging
import secrets
from typing import Any

from django.contrib import messages
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from mailmum.control.accounts.access import Reading
from mailmum.web.gate import PageRequest
from mailmum.web.links import link

log = logging.getLogger(__name__)


def show(
    request: PageRequest, template: str, section: str, *, status: int = 200, **context: Any
) -> HttpResponse:
    """A page; `section` is the entry of the navigation that it belongs to."""
    return render(request, f"mailmum/{template}", {"section": section, **context}, status=status)


def tell(
    request: HttpRequest, text: str, *, access: Reading | None = None, change: int | None = None
) -> None:
    """Say on the next page what was done, with a button to undo it when there is a change."""
    tags = f"undo:{access.account.pk}:{change}" if access is not None and change else ""
    messages.success(request, text, extra_tags=tags)


def warn(request: HttpRequest, text: str) -> None:
    """Say on the next page why something was not done."""
    messages.warning(request, text)


def to(access: Reading, name: str, /, **arguments: Any) -> HttpResponse:
    """Go to a page of the account."""
    return HttpResponseRedirect(path(access, name, **arguments))


def path(access: Reading, name: str, /, **arguments: Any) -> str:
    """The address of a page of the account."""
    return link(name, account=access.account.pk, **arguments)


def back(request: HttpRequest, otherwise: str) -> HttpResponse:
    """Go where the form came from, when that is a page of ours."""
    wanted = request.POST.get("next", "")
    ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return HttpResponseRedirect(wanted if ours else otherwise)


def unread(what: str, error: DatabaseError) -> str:
    """Log why a part of a page is missing; the reference that the page shows for it."""
    reference = secrets.token_hex(4)
    log.error("%s could not be read, %s", what, reference, exc_info=error)
    return reference
