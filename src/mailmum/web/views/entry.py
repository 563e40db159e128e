"""How people come in: the one-time link, and the way from the front door to their account."""

from typing import cast

from allauth.account.utils import perform_login
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from mailmum.control.accounts.models import User
from mailmum.control.accounts.queries import accounts_of
from mailmum.control.accounts.services import peek_sign_in_link, use_sign_in_link


@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def enter(request: HttpRequest, secret: str) -> HttpResponse:
    """Sign in by a one-time link.

    Looking shows whose link it is and uses nothing up: mail gateways and messengers fetch links
    before people do.  Whoever has set a second factor is still asked for it.
    """
    now = timezone.now()
    if request.method != "POST":
        person = peek_sign_in_link(secret, now)
        return _enter_page(request, person)
    person = use_sign_in_link(secret, now)
    if person is None:
        return _enter_page(request, None)
    # Else somebody else's session would stay open while a second factor is asked for.
    logout(request)
    return cast(HttpResponse, perform_login(request, person, redirect_url=reverse("home")))


@login_required
@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """The front door: to the first account, or to setting a password when there is none yet."""
    person = cast(User, request.user)
    if not person.has_usable_password():
        return HttpResponseRedirect(reverse("account_set_password"))
    account = accounts_of(person).first()
    if account is None:
        return render(request, "mailmum/nowhere.html")
    return HttpResponseRedirect(reverse("account", kwargs={"account": account.pk}))


def _enter_page(request: HttpRequest, person: User | None) -> HttpResponse:
    status = 200 if person else 404
    return render(request, "mailmum/enter.html", {"person": person}, status=status)
