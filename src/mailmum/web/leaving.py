"""Whether whoever asked is still there, for work that takes long before its answer begins.

An answer that streams ends with its reader (`control.streaming`).  A page that is made as a whole
is made in a thread, to which nobody says that its reader has gone.  The server does say so to
whoever waits for more of the request, as Django does all the while: here it is noted on the way,
and the work asks for it between two steps.
"""

import threading
from typing import Any

from django.http import HttpRequest

from mailmum.web.limits import Receive, Send

_NOTE = "mailmum.left"


class Leaving:
    """Wraps an ASGI application; `has_left` answers for the requests that it passes on."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass a request on, and note when the server says that its sender has gone."""
        left = threading.Event()

        async def noted() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect":
                left.set()
            return message

        await self._application({**scope, _NOTE: left}, noted, send)


def has_left(request: HttpRequest) -> bool:
    """Whether nobody waits for the answer any more; not known (False) beside an ASGI server."""
    left = getattr(request, "scope", {}).get(_NOTE)
    return left is not None and left.is_set()
