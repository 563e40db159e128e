"""`tail`: what reaches the mail servers, as it comes.

The service sends events with a cursor each.  When the connection ends, whether the service is being
started again or the network broke, the stream is asked for again from the last cursor: nothing is
left out and nothing comes twice.  It ends by ctrl-C, or when nobody reads what is printed.
"""

import json
import os
import select
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mailmum.cli.failures import Failure
from mailmum.cli.output import say, warn
from mailmum.cli.session import Session, common, pass_session
from mailmum.cli.sightings import filters, sighting_text

if TYPE_CHECKING:
    from mailmum.cli.client import Client

_PAUSES = (0.5, 1.0, 2.0, 5.0)
_AWAY = ("unavailable", "service-failed")


@click.command(short_help="Follow what reaches your mail servers, live.")
@filters
@common
@pass_session
def tail(session: Session, /, **wanted: Any) -> None:
    """Follow what reaches your mail servers: one line a contact, as it comes.

    With --json one object a line. When the service is away it is waited for, and nothing is left
    out. Ctrl-C ends it.
    """
    show = _print_json if session.as_json else _print
    try:
        _Tail(session.client(), wanted, show).run()
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        # Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print(one: dict[str, Any]) -> None:
    say(sighting_text(one))


def _print_json(one: dict[str, Any]) -> None:
    click.echo(json.dumps(one))


@dataclass(slots=True)
class _Tail:
    client: "Client"
    wanted: dict[str, Any]
    show: Callable[[dict[str, Any]], None]
    cursor: int | None = None
    tried: int = 0

    def run(self) -> None:
        """Follow until interrupted."""
        while True:
            try:
                self._follow()
            except Failure as failure:
                # Before anything came, an address that is wrong looks like a service that is away.
                if failure.code not in _AWAY or self.cursor is None:
                    raise
                self._wait(failure)

    def _follow(self) -> None:
        kind = b""
        for line in self.client.follow("/sightings/live", **self.wanted, after=self.cursor):
            field, _, value = line.partition(b": ")
            if field == b"event":
                kind = value
            elif field == b"data":
                self._take(kind, value)

    def _take(self, kind: bytes, value: bytes) -> None:
        told = json.loads(value)
        if kind == b"sighting":
            self.show(told)
            self.cursor = told["id"]
        elif kind == b"cursor":
            self.cursor, self.tried = told, 0
            _check_reader()
        elif kind == b"refused":
            error = told["error"]
            raise Failure(error["problem"], error["fix"], code=error["code"])

    def _wait(self, failure: Failure) -> None:
        if not self.tried:
            warn(f"{failure.problem}; waiting for it")
        time.sleep(_PAUSES[min(self.tried, len(_PAUSES) - 1)])
        self.tried += 1


def _check_reader() -> None:
    """Notice that nobody reads any more, also while nothing is printed.

    Raises:
        BrokenPipeError: that is so.
    """
    try:
        output = sys.stdout.fileno()
    except OSError:  # not a file at all, as in tests
        return
    watch = select.poll()
    watch.register(output, 0)
    if any(event & select.POLLERR for _, event in watch.poll(0)):
        raise BrokenPipeError
