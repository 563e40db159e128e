"""The gate that every page of an account stands behind.

`account_view` turns a view that asks for a permission into one that the resolver can call: it finds
out who asks, what they may do in the account that the URL names, and hands that proof over.  A view
cannot get at an account in another way, and a test holds every URL under /a/ against this.

    @account_view(Writing, "GET", "POST")
    def add(request: PageRequest, access: Writing) -> HttpResponse: ...

Who is not signed in goes to the sign-in page; an account that a person is not in does not exist for
them (404); a role that allows less gets a page that says so (403).
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from mailmum.control.accounts.access import Owning, Reading, Writing, access, owning, writing
from mailmum.control.accounts.models import User
from mailmum.domain.errors import Forbidden, NotFound

Permission = TypeVar("Permission", bound=Reading)
Arguments = ParamSpec("Arguments")


class PageRequest(HttpRequest):
    """A request for a page of an account, as the gate passes it on."""

    htmx: HtmxDetails
    granted: Reading


def account_view(
    permission: type[Permission], *methods: str
) -> Callable[
    [Callable[Concatenate[PageRequest, Permission, Arguments], HttpResponse]],
    Callable[..., HttpResponse],
]:
    """Make a view of an account's page.

    Args:
        permission: what the view needs to be handed: Reading, Writing or Owning.
        methods: those it takes; GET when none is named.  HEAD comes with GET.
    """
    allowed = methods or ("GET",)

    def wrap(
        view: Callable[Concatenate[PageRequest, Permission, Arguments], HttpResponse],
    ) -> Callable[..., HttpResponse]:
        @wraps(view)
        def page(request: HttpRequest, account: int, **arguments: Any) -> HttpResponse:
            if not isinstance(request.user, User):
                return _to_sign_in(cast(PageRequest, request), account)
            with _as_responses():
                granted = _proof(access(request.user, account, via="web"), permission)
                if (request.method or "") not in (*allowed, "HEAD" if "GET" in allowed else ""):
                    return _not_allowed(request, allowed)
                asked = cast(PageRequest, request)
                asked.granted = granted
                response: HttpResponse = cast(Any, view)(asked, granted, **arguments)
            add_never_cache_headers(response)
            return response

        page.permission = permission  # type: ignore[attr-defined]
        page.methods = allowed  # type: ignore[attr-defined]
        return page

    return wrap


class _as_responses:  # noqa: N801 (a context manager, used like a function)
    """What the domain says of missing and forbidden things, as Django says it."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, NotFound):
            raise Http404(str(error)) from error
        if isinstance(error, Forbidden):
            raise PermissionDenied(str(error)) from error


def _proof(granted: Reading, permission: type[Reading]) -> Reading:
    if issubclass(permission, Owning):
        return owning(granted)
    if issubclass(permission, Writing):
        return writing(granted)
    return granted


def _not_allowed(request: HttpRequest, methods: Sequence[str]) -> HttpResponse:
    """405 with a page: people come here by loading again what a form had shown."""
    return HttpResponseNotAllowed(methods, render_to_string("405.html", request=request))


def _to_sign_in(request: PageRequest, account: int) -> HttpResponse:
    # A form cannot be sent again from the sign-in page: then one goes on at the front page.
    opened = request.method in {"GET", "HEAD"}
    wanted = request.get_full_path() if opened else reverse("account", args=[account])
    response = redirect_to_login(wanted)
    if not request.htmx:
        return response
    # A fragment must not be replaced by a sign-in page: send the whole window there, and back to
    # the page that asked for the fragment.
    return HttpResponseClientRedirect(
        redirect_to_login(request.htmx.current_url_abs_path or "/").url
    )
