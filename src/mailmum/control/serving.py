"""Serving pages and API with uvicorn.

Without a descriptor asyncio complains of as many connections as it would have taken at a time,
and tries again as often.  So it takes one at a time here, which costs it nothing that shows; and
it is told once, with what to do.

uvicorn ends connections that rest after an answer, and no others: one over which nothing is ever
asked, or half a request, would take a place for good.  Those are ended here; whoever waits for an
answer, as those who follow live do, is left alone.

When the service stops, what is being answered is waited for some seconds (`STOP_WITHIN`), but for
whoever takes nothing of the answer: a browser that sleeps would hold up every stop.
"""

import asyncio
import gc
import socket
from collections.abc import Callable
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from mailmum.control.config import Config, Endpoint, parse_endpoint
from mailmum.daemons.ending import end_process
from mailmum.daemons.seldom import Seldom
from mailmum.daemons.supervisor_ready import tell_ready
from mailmum.domain.errors import Refusal

BACKLOG = 512
PATIENCE = 15.0
"""Seconds in which a connection has to ask something."""
STOP_WITHIN = 5
"""Seconds for which answers under way are waited for at the end."""
TAKES_NOTHING = 0.5
"""Seconds in which something of them has to be taken then."""
_LOOKS = 5
_AGAIN = 3600.0

log = structlog.get_logger()


class Patient(H11Protocol):
    """A connection that is ended when it asks nothing, or at the end takes nothing."""

    _watch: asyncio.TimerHandle | None = None
    _seen: Any = None
    _heard = True
    _took = False
    _unsent = _in_vain = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch it."""
        super().connection_made(transport)
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """There is nothing to watch any more."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note that something came."""
        self._heard = True
        super().data_received(data)

    def resume_writing(self) -> None:
        """Note that something was taken."""
        self._took = True
        super().resume_writing()

    def shutdown(self) -> None:
        """Let the answer under way come to its end, if it is taken."""
        super().shutdown()
        self._wait_for_taker()

    def _wait_for_taker(self) -> None:
        self._took, self._unsent = False, self.transport.get_write_buffer_size()
        self.loop.call_later(TAKES_NOTHING / _LOOKS, self._end_unless_taken)

    def _end_unless_taken(self) -> None:
        # Several looks, since on a busy machine there may be none in between at what was taken.
        unsent = self.transport.get_write_buffer_size()
        waits = unsent >= self._unsent > 0 and not self._took
        self._in_vain = self._in_vain + 1 if waits else 0
        if self._in_vain == _LOOKS:
            self.transport.abort()
        elif self in self.connections:
            self._wait_for_taker()

    def _look_later(self) -> None:
        self._seen, self._heard = self.cycle, False
        self._watch = self.loop.call_later(PATIENCE, self._look)

    def _look(self) -> None:
        """End it if it has waited for the other side since the last look."""
        # Before the first request there is none, whatever its type says.
        cycle: RequestResponseCycle | None = getattr(self, "cycle", None)
        if cycle is None or cycle.response_complete:
            # Whatever came since was not a whole request.
            silent = cycle is self._seen
        else:
            silent = cycle.more_body and not self._heard and not self.flow.read_paused
        if silent:
            self.transport.close()
        else:
            self._look_later()


class _Server(uvicorn.Server):
    """Says when it answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(tell_seldom(Seldom(_AGAIN)))
        settle()
        await super().startup(sockets)
        for one in sockets or ():
            # How many may wait is not how many are taken at a time.
            one.listen(BACKLOG)
        if self.started:
            tell_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from mailmum.control import streaming
        from mailmum.control.monitor.live import hub

        # Whoever follows live would keep the server from ending, and so would long work.
        hub().end()
        streaming.end()
        await super().shutdown(sockets)
        # uvicorn would send itself the signal once more, and asyncio wait for threads to end.
        end_process()


def serve(parameters: Config) -> None:
    """Serve until told to stop.

    Raises:
        Refusal: the address cannot be listened on.
    """
    endpoint = parse_endpoint(parameters.web)
    listening = listen(endpoint)
    # Until `settle`: all pages are loaded, and none of what they are made of is garbage.
    gc.disable()
    settings = uvicorn.Config(
        "mailmum.web.asgi:application",
        log_config=None,
        access_log=False,
        lifespan="off",
        http=Patient,
        server_header=False,
        timeout_graceful_shutdown=STOP_WITHIN,
        limit_concurrency=200,
        backlog=1,
        proxy_headers=False,
    )
    _Server(settings).run([listening])


def settle() -> None:
    """Take what is there from the start out of the search for garbage.

    All of the program is looked through again whenever answers have made enough objects, which
    took 40 ms of one request in some.
    """
    from django.urls import get_resolver

    # Otherwise the first request would bring in all views.
    assert get_resolver().url_patterns
    gc.collect()
    gc.freeze()
    gc.enable()


def tell_seldom(seldom: Seldom) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """What the event loop does when a connection cannot be taken; all else is told as ever."""

    def tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if "socket" not in context or not isinstance(error, OSError):
            loop.default_exception_handler(context)
        elif seldom.due(error.errno):
            log.warning(
                "web.not-accepted",
                reason=error.strerror,
                consequence="connections wait for a second at a time",
                fix="raise LimitNOFILE of this service, or find out who keeps connections open",
            )

    return tell


def listen(endpoint: Endpoint) -> socket.socket:
    """A listening TCP socket.

    Raises:
        Refusal: it cannot be had; the message says why and what to do.
    """
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((endpoint.host, endpoint.port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise Refusal(
            f"cannot listen on {endpoint} for pages: {(error.strerror or str(error)).lower()}",
            fix="choose another with --web, or stop what listens there "
            f"(ss -ltnp 'sport = :{endpoint.port}')",
        ) from None
    return made
