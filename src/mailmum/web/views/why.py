"""The public page behind the link in a reject: whose decision it was and what to do."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from mailmum.control.listings.public import explain_publicly
from mailmum.domain.errors import BadInput, NotFound


@require_safe
@never_cache
def why(request: HttpRequest, ref: str, client: str) -> HttpResponse:
    """Why a mail server refuses a client, for everybody who follows the link.

    Unknown references and malformed clients get the page that any unknown address gets.
    """
    try:
        answer = explain_publicly(ref, client.rstrip("/"))
    except (NotFound, BadInput) as error:
        raise Http404 from error
    response = render(request, "mailmum/why.html", {"answer": answer})
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
