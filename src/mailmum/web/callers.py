"""From where somebody asks.

Behind a proxy every request comes from the proxy.  One on this machine is believed: it puts the
address of its caller last into X-Forwarded-For, whatever a caller wrote in front of that.  Anybody
else could write there what they like.
"""

from django.http import HttpRequest

from mailmum.domain.targets import is_address

_THIS_MACHINE = {"127.0.0.1", "::1"}


def caller_of(request: HttpRequest) -> str:
    """The address; empty when there is none, as on a socket without one."""
    direct: str = request.META.get("REMOTE_ADDR", "")
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return told if direct in _THIS_MACHINE and is_address(told) else direct
