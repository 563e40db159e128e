"""The public page behind the link in a reject: whose decision it was, how to ask for removal."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from mailmum.control.listings.public import PublicAnswer, explain_publicly
from mailmum.control.requests.asking import ask, takes_requests, told
from mailmum.control.requests.models import REPLY_LIMIT, TEXT_LIMIT
from mailmum.domain.errors import BadInput, Conflict, NotFound, Refusal
from mailmum.web.callers import caller_of
from mailmum.web.form import Form, posted

_STATUS = {BadInput: 422, Conflict: 409}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def why(request: HttpRequest, ref: str, client: str) -> HttpResponse:
    """Why a mail server refuses a client, for everybody who follows the link.

    Unknown references and malformed clients get the page that any unknown address gets.
    """
    try:
        answer = explain_publicly(ref, client.rstrip("/"))
    except (NotFound, BadInput) as error:
        raise Http404 from error
    form = posted(request.POST, "text", "reply_to")
    if request.method == "POST":
        return _ask(request, ref, answer, form)
    return _page(request, ref, answer, form)


def _ask(request: HttpRequest, ref: str, answer: PublicAnswer, form: Form) -> HttpResponse:
    """Take a request, and show where its answer will be; without script like with it."""
    try:
        token = ask(
            ref,
            answer.client,
            text=form.values["text"],
            reply_to=form.values["reply_to"],
            address=caller_of(request),
        )
    except NotFound as error:
        raise Http404 from error
    except Refusal as refusal:
        form.refuse(refusal)
        return _page(request, ref, answer, form, status=_STATUS.get(type(refusal), 400))
    return HttpResponseRedirect(f"{request.path}?{urlencode({'asked': token})}")


def _page(
    request: HttpRequest, ref: str, answer: PublicAnswer, form: Form, *, status: int = 200
) -> HttpResponse:
    token = request.GET.get("asked", "")
    shown = {
        "answer": answer,
        "form": form,
        "asks": answer.blocked and takes_requests(ref),
        "asked": told(ref, answer.client, token) if token else None,
        "text_limit": TEXT_LIMIT,
        "reply_limit": REPLY_LIMIT,
    }
    response = render(request, "mailmum/why.html", shown, status=status)
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
