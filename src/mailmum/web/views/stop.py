"""The public page behind the link in our mail: whoever gets it ends it, without signing in.

Only they can have it again, here: the account cannot.

Mail clients send the POST themselves (RFC 8058); a GET changes nothing, since scanners of mail
follow every link.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from mailmum.control.alerts.receivers import end, receiver_of, resume
from mailmum.domain.errors import NotFound


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
# The link itself proves that the mail came to whoever uses it; there is no session to abuse.
@csrf_exempt
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """Ask whether, and then end it."""
    try:
        if request.method != "POST":
            receiver = receiver_of(token)
        else:
            receiver = resume(token) if request.POST.get("again") else end(token)
    except NotFound as error:
        raise Http404 from error
    response = render(request, "mailmum/alerts/stop.html", {"receiver": receiver})
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
