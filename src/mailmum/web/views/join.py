"""The page behind the link by which somebody who signs in already joins a further account."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from mailmum.control.accounts.joining import join as join_account
from mailmum.control.accounts.joining import offered
from mailmum.control.accounts.models import User
from mailmum.domain.errors import Forbidden, NotFound


@sensitive_variables("secret")
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """Say where it leads, and go there; whom it was not made for learns neither where nor whom."""
    person = cast(User, request.user)
    try:
        if request.method == "POST":
            account = join_account(secret, person).account
            return HttpResponseRedirect(reverse("account", kwargs={"account": account.pk}))
        found = offered(secret)
    except NotFound:
        return _page(request, 404)
    except Forbidden:
        return _page(request, 403, other=True)
    if found.person != person:
        return _page(request, 403, other=True)
    return _page(request, 200, offer=found)


def _page(request: HttpRequest, status: int, **shown: object) -> HttpResponse:
    return render(request, "mailmum/join.html", shown, status=status)
