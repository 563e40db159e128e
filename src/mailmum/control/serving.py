"""Serving pages and API with uvicorn."""

import socket

import uvicorn

from mailmum.control.config import Config, Endpoint, parse_endpoint
from mailmum.daemons.supervisor_ready import tell_ready
from mailmum.domain.errors import Refusal

BACKLOG = 512


class _Server(uvicorn.Server):
    """Says when it answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            tell_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from mailmum.control.monitor.live import hub

        # Whoever follows live would keep the server from ending.
        hub().end()
        await super().shutdown(sockets)


def serve(parameters: Config) -> None:
    """Serve until told to stop.

    Raises:
        Refusal: the address cannot be listened on.
    """
    endpoint = parse_endpoint(parameters.web)
    listening = listen(endpoint)
    settings = uvicorn.Config(
        "mailmum.web.asgi:application",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=5,
        limit_concurrency=200,
        proxy_headers=False,
    )
    _Server(settings).run([listening])


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
